import type { Thread } from '../../linux/index.ts';
import type { Software } from '../../platform/index.ts';
import { EIO } from '../../spec/errno.ts';
import { condResched } from '../locks.ts';
import { PAGE_SIZE } from '../mmu/ept.ts';
import { type FaultResult, pageFault } from '../mmu/fault.ts';
import { gpaIsPrivate, type TdVcpu } from '../tdx/td.ts';
import type { Vcpu } from '../vcpu/vcpu.ts';
import { vmBugged, vmDead } from '../vm/vm.ts';

/** Exit qualification of an EPT violation (SDM): bit 2 instruction fetch, bits 5:3 what the entry allowed, bit 6 user-mode execute. */
const FETCH = 1n << 2n;
const ENTRY_ALLOWED = 0b111_1000n;
/** Extended qualification type: pending page met while the guest has #VE for it off. */
const PENDING_EPT_VIOLATION = 6n;

/** tdx_handle_ept_violation. 1: back into the guest; else KVM_RUN's result. */
export function* handleEptViolation(current: Thread, vcpu: Vcpu): Software<number> {
  const { args } = vcpu.td!;
  const td = vcpu.vm.td!;
  const gpa = Number(args.r8);
  const isPrivate = gpaIsPrivate(td, gpa);
  if (isPrivate && isPendingViolation(args)) {
    vmDead(current, vcpu.vm);
    return -EIO;
  }
  if (!isPrivate && (args.rcx & FETCH) !== 0n) return vmBugged(current, vcpu.vm, 'instruction fetch from shared memory');
  const gfn = Math.floor((isPrivate ? gpa : gpa - td.sharedBit) / PAGE_SIZE);
  const result = isPrivate ? yield* retryLocally(current, vcpu, gfn) : yield* pageFault(current, vcpu, gfn, false);
  return typeof result === 'number' ? result : 1;
}

const isPendingViolation = (args: TdVcpu['args']): boolean =>
  (args.rdx & 0xfn) === PENDING_EPT_VIOLATION && (args.rcx & ENTRY_ALLOWED) === 0n;

/** Re-entering just to fault again would feed the module's zero-step counter, so the fault is tried again here. */
function* retryLocally(current: Thread, vcpu: Vcpu, gfn: number): Software<FaultResult> {
  for (;;) {
    const result = yield* pageFault(current, vcpu, gfn, true);
    if (result !== 'retry' || current.signal_pending) return result;
    if (vcpu.vm.dead) return -EIO;
    yield* condResched(current);
  }
}
