import { GPR, type Software, type VmExit } from '../../platform/index.ts';
import { TDCS, TDVPS } from '../../spec/layouts.ts';
import { TDG_VERSIONS } from '../../spec/leaves.ts';
import { MSR } from '../../spec/msr.ts';
import {
  statusCode,
  statusDetail,
  TDX_HOST_PRIORITY_BUSY_TIMEOUT,
  TDX_OPERAND_BUSY,
  TDX_OPERAND_BUSY_HOST_PRIORITY,
} from '../../spec/status.ts';
import { ensure, INVALID, LeafStatus } from '../status.ts';
import { GuestContext, type GuestLeaf, TdcallStopped } from '../tdg/context.ts';
import { GUEST_LEAVES } from '../tdg/table.ts';
import { injectGp } from './inject.ts';
import { asyncExit, type ExitHandler, type Outcome } from './outcome.ts';
import { advanceRip, isLongMode, readGpr, writeGpr } from './registers.ts';
import type { TdRun } from './run.ts';

const LEAF_MASK = 0xffffn;
const VERSION_SHIFT = 16n;
const VERSION_MASK = 0xffn;
const RESERVED_SHIFT = 24n;
/** TDCS.HP_LOCK_TIMEOUT counts microseconds; time-stamp ticks in one. */
const TICKS_PER_US = 1000n;

/** TDCALL: entry checks, the leaf, the guest's RAX and RIP (leaf-checks.md §0). */
export const tdcallExit: ExitHandler = function* (run, exit) {
  if (!isLongMode(run)) {
    injectGp(run);
    return null;
  }
  const rax = readGpr(run, GPR.RAX);
  const guest = new GuestContext(run, exit, Number((rax >> VERSION_SHIFT) & VERSION_MASK));
  const result = yield* answer(guest, rax);
  guest.locks.releaseAll();
  if (typeof result === 'bigint') return complete(run, exit, result);
  if (result.advances) advanceRip(run, exit);
  return result.outcome;
};

function* answer(guest: GuestContext, rax: bigint): Software<bigint | TdcallStopped> {
  try {
    return yield* admit(rax)(guest);
  } catch (thrown) {
    if (thrown instanceof LeafStatus) return thrown.status;
    if (thrown instanceof TdcallStopped) return thrown;
    throw thrown;
  }
}

function admit(rax: bigint): GuestLeaf {
  ensure(rax >> RESERVED_SHIFT === 0n, INVALID.RAX);
  const leaf = rax & LEAF_MASK;
  ensure(rax >> VERSION_SHIFT <= BigInt(TDG_VERSIONS.get(leaf) ?? 0), INVALID.RAX);
  const found = GUEST_LEAVES.get(leaf);
  ensure(found !== undefined, INVALID.RAX);
  return found;
}

/** The guest gets its status; one that waits too long for the host's priority makes a TD exit, too. */
function complete(run: TdRun, exit: VmExit, status: bigint): Outcome {
  const waitsForHost = statusCode(status) === TDX_OPERAND_BUSY_HOST_PRIORITY;
  writeGpr(run, GPR.RAX, waitsForHost ? TDX_OPERAND_BUSY | statusDetail(status) : status);
  advanceRip(run, exit);
  if (waitsForHost && hasWaitedTooLong(run))
    return asyncExit(exit, { status: TDX_HOST_PRIORITY_BUSY_TIMEOUT, reason: 0, qualification: 0n });
  if (!waitsForHost && run.tdvps.get(TDVPS.HP_LOCK_BUSY) !== 0) run.tdvps.set(TDVPS.HP_LOCK_BUSY, 0);
  return null;
}

function hasWaitedTooLong({ tdcs, tdvps, lp }: TdRun): boolean {
  const now = lp.rdmsr(MSR.IA32_TSC);
  if (tdvps.get(TDVPS.HP_LOCK_BUSY) === 0) {
    tdvps.set(TDVPS.HP_LOCK_BUSY, 1);
    tdvps.set(TDVPS.HP_LOCK_BUSY_START, now);
    return false;
  }
  return now - tdvps.get(TDVPS.HP_LOCK_BUSY_START) >= tdcs.get(TDCS.HP_LOCK_TIMEOUT) * TICKS_PER_US;
}
