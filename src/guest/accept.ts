import type { GuestCpu, GuestSoftware } from '../platform/guest-cpu.ts';
import { TDG } from '../spec/leaves.ts';
import { tdcall } from './tdcall.ts';

/** Bytes a level maps, by S-EPT level. */
const LEVEL_BYTES = [0x1000n, 0x20_0000n, 0x4000_0000n] as const;

/** What happened while a range was accepted: TDCALLs and refusals by level. */
export interface AcceptTally {
  readonly accepted: [number, number, number];
  readonly refused: [number, number, number];
  /** Completion status of the last refusal by level. */
  readonly lastRefusal: [bigint, bigint, bigint];
}

export const newTally = (): AcceptTally => ({ accepted: [0, 0, 0], refused: [0, 0, 0], lastRefusal: [0n, 0n, 0n] });

/** tdx_accept_memory(): per step 1 GiB, 2 MiB, 4 KiB as alignment and length allow. False: a 4 KiB page was refused; the state of the rest is unknown. */
export function* acceptMemory(cpu: GuestCpu, start: bigint, end: bigint, tally = newTally()): GuestSoftware<boolean> {
  for (let gpa = start; gpa < end; ) {
    const bytes = yield* acceptPage(cpu, gpa, end - gpa, tally);
    if (bytes === 0n) return false;
    gpa += bytes;
  }
  return true;
}

/** Bytes accepted at `gpa`, 0 if none. */
function* acceptPage(cpu: GuestCpu, gpa: bigint, length: bigint, tally: AcceptTally): GuestSoftware<bigint> {
  for (let level = 2; level >= 0; level--) {
    const bytes = LEVEL_BYTES[level]!;
    if (gpa % bytes !== 0n || length < bytes) continue;
    const status = yield* tdcall(cpu, TDG.MEM_PAGE_ACCEPT, { RCX: gpa | BigInt(level) });
    if (status === 0n) {
      tally.accepted[level]!++;
      return bytes;
    }
    tally.refused[level]!++;
    tally.lastRefusal[level] = status;
  }
  return 0n;
}
