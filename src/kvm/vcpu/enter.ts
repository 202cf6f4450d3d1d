import { type Thread, tdh_vp_enter, tdh_vp_wr } from '../../linux/index.ts';
import type { Software } from '../../platform/index.ts';
import { EIO } from '../../spec/errno.ts';
import { VMCS_ENCODING } from '../../spec/layouts.ts';
import { handleExit } from '../exits/index.ts';
import { loadRoots } from '../mmu/roots.ts';
import { vmBugged } from '../vm/vm.ts';
import type { Vcpu } from './vcpu.ts';

/** A VMCS field as TDH.VP.WR names it: class 0, its encoding as the code. */
export const vmcsField = (encoding: number): bigint => BigInt(encoding);
const ALL_BITS = 0xffff_ffff_ffff_ffffn;

/** kvm_mmu_reload and tdx_load_mmu_pgd: the roots are there, and the module learns where the shared EPT is. */
function* loadMmu(current: Thread, vcpu: Vcpu): Software<number> {
  const errno = loadRoots(current, vcpu.vm.td!);
  if (errno < 0) return errno;
  const root = BigInt(vcpu.vm.td!.shared!.root);
  const status = yield* tdh_vp_wr(current.cpu, vcpu.td!.vp, vmcsField(VMCS_ENCODING.SHARED_EPTP), root, ALL_BITS);
  if (status !== 0n) vmBugged(current, vcpu.vm, `TDH.VP.WR of the shared EPT pointer returned 0x${status.toString(16)}`);
  vcpu.td!.sharedEptLoaded = true;
  return 0;
}

/** vcpu_enter_guest: requests, TDH.VP.ENTER, and the exit. 1: again; else KVM_RUN's result. */
export function* enterGuest(current: Thread, vcpu: Vcpu): Software<number> {
  const { lp } = current.cpu;
  const td = vcpu.td!;
  const loaded = td.sharedEptLoaded ? 0 : yield* loadMmu(current, vcpu);
  if (loaded < 0) return loaded;
  if (vcpu.vm.dead) return -EIO;
  // From here to the exit an interrupt waits: a kick that came before the entry makes the guest exit at once.
  lp.interruptsEnabled = false;
  vcpu.mode = 'in-guest';
  const entered = !vcpu.vm.td!.waitForSeptZap;
  if (entered) {
    if (vcpu.flushTlb) {
      vcpu.flushTlb = false;
      lp.invept();
    }
    td.vpEnterStatus = yield* tdh_vp_enter(current.cpu, td.vp, td.args);
  }
  vcpu.mode = 'outside-guest';
  lp.interruptsEnabled = true;
  // vcpu_enter_guest: local_irq_enable() takes the interrupts that waited, before the exit is handled and the guest goes on.
  yield 'interrupt-window';
  if (!entered) {
    const zap = vcpu.vm.td!;
    yield { what: 'S-EPT zap', ready: () => !zap.waitForSeptZap };
    return 1;
  }
  return yield* handleExit(current, vcpu);
}
