import { GPR } from '../../platform/index.ts';
import { TDCS, TDVPS } from '../../spec/layouts.ts';
import { MSR } from '../../spec/msr.ts';
import { LAST_TD_EXIT, VCPU_STATE } from '../../spec/states.ts';
import { TDX_INCORRECT_MSR_VALUE, TDX_TSC_ROLLBACK, TDX_VCPU_STATE_INCORRECT } from '../../spec/status.ts';
import type { Leaf, LeafContext } from '../context.ts';
import { BUSY, ensure, INVALID } from '../status.ts';
import { lockVcpu, openTd } from '../td/checks.ts';
import type { Tdcs } from '../td/tdcs.ts';
import type { Tdvps } from '../td/tdvps.ts';
import { associate, ensureCpuidUnlimited, ensurePages, ensureTscAdjust } from '../td/vcpu.ts';
import { isSelected } from '../td-exit/leave.ts';
import { runTd } from '../td-exit/loop.ts';
import { gprField } from '../td-exit/registers.ts';
import { TdRun } from '../td-exit/run.ts';
import { refuseEntry, unresolvedFault } from '../td-exit/stepping.ts';
import { virtualCpuidBit } from '../td-exit/virtual-cpuid.ts';

const HOST_RECOVERABILITY_HINT = 1n << 52n;
const RESUME_L1 = 1n << 53n;
const RESERVED = 0xffc0_0000_0000_0fffn;
/** Where the hint goes in the guest's RAX. */
const HINT_SHIFT = 8n;
const MONITOR_FSM = 1n << 18n;

/** TDH.VP.ENTER: runs a VCPU on this LP until a TD exit. The TDR and the TDVPR stay locked, shared, all that time. */
export const vpEnter: Leaf = function* (ctx) {
  const { lp } = ctx;
  const operand = ctx.rcx;
  ensureCpuidUnlimited(ctx);
  ensure((operand & RESERVED) === 0n, INVALID.RCX);
  const { tdr, tdvps } = lockVcpu(ctx, 'RCX', operand & ~(HOST_RECOVERABILITY_HINT | RESUME_L1), 'shared');
  const tdcs = openTd(ctx, tdr, 'shared');
  ensurePages(tdcs, tdvps);
  ensure(tdvps.get(TDVPS.VCPU_STATE) === VCPU_STATE.READY, TDX_VCPU_STATE_INCORRECT);
  const isNew = associate(ctx, tdcs, tdvps);
  const lastExit = tdvps.get(TDVPS.LAST_TD_EXIT);
  ensure((operand & HOST_RECOVERABILITY_HINT) === 0n || lastExit === LAST_TD_EXIT.ASYNC_TRAP, INVALID.RCX);
  ensure((operand & RESUME_L1) === 0n, INVALID.RCX);
  checkMsrs(ctx, tdcs, tdvps);
  const { epochLock, opStateLock } = tdcs;
  ctx.locks.acquire(epochLock, 'shared', BUSY.TD_EPOCH);
  yield 'lock';
  enterEpoch(ctx, tdcs, tdvps, isNew);
  ctx.locks.release(epochLock);
  const fault = unresolvedFault(ctx, tdcs, tdvps);
  if (fault !== null) return refuseEntry(ctx, tdcs, tdvps, fault);
  const host = { rsp: lp.gpr[GPR.RSP]!, rbp: lp.gpr[GPR.RBP]! };
  takeHostRegisters(ctx, tdvps, lastExit, operand & HOST_RECOVERABILITY_HINT);
  tdvps.set(TDVPS.VCPU_STATE, VCPU_STATE.ACTIVE);
  ctx.locks.release(opStateLock);
  return yield* runTd(new TdRun(ctx, tdr, tdcs, tdvps, host));
};

function checkMsrs(ctx: LeafContext, tdcs: Tdcs, tdvps: Tdvps): void {
  ensureTscAdjust(ctx);
  ensure(ctx.lp.rdmsr(MSR.IA32_TSC) >= tdvps.get(TDVPS.LAST_EXIT_TSC), TDX_TSC_ROLLBACK);
  const monitors = virtualCpuidBit(tdcs, 1, 0, 'ecx', 3);
  ensure(
    !monitors || (ctx.lp.rdmsr(MSR.IA32_MISC_ENABLE) & MONITOR_FSM) !== 0n,
    TDX_INCORRECT_MSR_VALUE | BigInt(MSR.IA32_MISC_ENABLE),
  );
}

/** Counts the VCPU in the current TLB epoch, and forgets translations that are older or another VCPU's. */
function enterEpoch({ lp, module }: LeafContext, tdcs: Tdcs, tdvps: Tdvps, isNew: boolean): void {
  const epoch = tdcs.get(TDCS.TD_EPOCH);
  tdcs.add(TDCS.REFCOUNT.item(Number(epoch & 1n)), 1);
  const isStale = !isNew && tdvps.get(TDVPS.VCPU_EPOCH) !== epoch;
  if (isStale || module.lastVcpu.get(lp.id) !== tdvps.pa) module.platform.core.invept(lp.id);
  module.lastVcpu.set(lp.id, tdvps.pa);
  tdvps.set(TDVPS.VCPU_EPOCH, epoch);
}

/** What the host may tell the guest: the registers that TDG.VP.VMCALL selected, or the hint after a trap-like exit. */
function takeHostRegisters({ lp }: LeafContext, tdvps: Tdvps, lastExit: number, hint: bigint): void {
  if (lastExit === LAST_TD_EXIT.ASYNC_TRAP && hint !== 0n) {
    const rax = gprField(GPR.RAX);
    tdvps.set(rax, tdvps.get(rax) | (hint << HINT_SHIFT));
  }
  if (lastExit !== LAST_TD_EXIT.TDVMCALL) return;
  const mask = tdvps.get(gprField(GPR.RCX));
  tdvps.set(gprField(GPR.RAX), 0n);
  for (let register = GPR.RDX; register <= GPR.R15; register++) {
    if (isSelected(mask, register)) tdvps.set(gprField(register), lp.gpr[register]!);
  }
}
