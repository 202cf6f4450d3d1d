/** The hot operations that are counted. */
import { ENGINE_OPERATIONS } from './engine-operations.ts';
import type { HotOperation } from './hot-operation.ts';
import { MEMORY_OPERATIONS } from './memory-operations.ts';
import { WALK_OPERATIONS } from './walk-operations.ts';

export const HOT_OPERATIONS: readonly HotOperation[] = [...MEMORY_OPERATIONS, ...WALK_OPERATIONS, ...ENGINE_OPERATIONS];
