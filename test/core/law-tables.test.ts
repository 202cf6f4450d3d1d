import { describe } from 'vitest';
import { EagerCore } from '../oracle/eager-core.ts';
import { describeReadTable } from './shared/read-table.ts';

describe('oracle', () => describeReadTable({ name: 'oracle', create: (c) => new EagerCore(c) }));
