/** Fixed places in linear memory; everything else comes from the arena. */
import { FAULT_BYTES, MAILBOX_SIZE, PROBE_BYTES, WALK_BYTES } from './layout';
import { COUNTER_COUNT } from './spec/counters';

export const mailbox: usize = memory.data(MAILBOX_SIZE, 64);
export const fault: usize = memory.data(FAULT_BYTES, 16);
export const probe: usize = memory.data(PROBE_BYTES, 64);
export const walkResult: usize = memory.data(WALK_BYTES, 16);
export const counterBase: usize = memory.data(COUNTER_COUNT * 8, 16);

/** Scratch lines, each with one user at a time. */
export const zeroLine: usize = memory.data(64, 64);
export const patternLine: usize = memory.data(64, 64);
export const mergeLine: usize = memory.data(64, 64);
export const cipherLine: usize = memory.data(64, 64);
export const eagerLine: usize = memory.data(64, 64);
export const probeLine: usize = memory.data(64, 64);
export const ownTweak: usize = memory.data(16, 16);
export const readerTweak: usize = memory.data(16, 16);
export const macKey: usize = memory.data(16, 16);
