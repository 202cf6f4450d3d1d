import { type Thread, tdh_vp_addcx, tdh_vp_create, tdh_vp_init, tdh_vp_wr } from '../../linux/index.ts';
import type { Software } from '../../platform/index.ts';
import { EINVAL, ENOMEM } from '../../spec/errno.ts';
import { KVM_MP_STATE_RUNNABLE } from '../../spec/kvm-uapi.ts';
import { VMCS_ENCODING } from '../../spec/layouts.ts';
import { hasX2apic } from '../cpuid.ts';
import { allocPage, allocPages, freePage } from '../pages.ts';
import { vmcsField } from '../vcpu/enter.ts';
import type { VcpuCommand } from '../vcpu/memory-encrypt-op.ts';
import type { Vcpu } from '../vcpu/vcpu.ts';
import { vmBugged } from '../vm/vm.ts';

/** Linux's notification vector of posted interrupts. */
const POSTED_INTR_VECTOR = 0xf2n;
/** PIN_BASED_VM_EXEC_CONTROL bit 7: process posted interrupts. */
const PIN_BASED_POSTED_INTR = 1n << 7n;

/** KVM_TDX_INIT_VCPU: the vCPU's control pages and its first RCX and R8, which is `data`. */
export const initVcpu: VcpuCommand = function* (current, vcpu, command) {
  const td = vcpu.td!;
  if (command.flags !== 0) return -EINVAL;
  if (td.state !== 'uninitialized') return -EINVAL;
  if (!hasX2apic(vcpu.cpuid)) return -EINVAL;
  const errno = yield* giveControlPages(current, vcpu, command.data);
  if (errno !== 0) return errno;
  vcpu.mpState = KVM_MP_STATE_RUNNABLE;
  td.associatedCpu = current.cpu.id;
  yield* writeVmcs(current, vcpu);
  td.state = 'initialized';
  return 0;
};

/** tdx_td_vcpu_init. Pages that the module took stay its until the vCPU is freed; the others go back. */
function* giveControlPages(current: Thread, vcpu: Vcpu, initialRcx: bigint): Software<number> {
  const { vp } = vcpu.td!;
  const { vm } = vcpu;
  const tdvpr = allocPage(current, 'kvm:tdvpr');
  const tdcx = tdvpr < 0 ? null : allocPages(current, vm.kvm.tdx!.tdcxPages, 'kvm:tdcx');
  if (!tdcx) {
    if (tdvpr > 0) freePage(current, tdvpr);
    return -ENOMEM;
  }
  vp.tdvpr_page = tdvpr;
  const created = yield* tdh_vp_create(current.cpu, vm.td!.pages, vp);
  if (created !== 0n) {
    for (const page of [tdvpr, ...tdcx]) freePage(current, page);
    vp.tdvpr_page = 0;
    return vmBugged(current, vm, `TDH.VP.CREATE returned 0x${created.toString(16)}`);
  }
  for (const [i, page] of tdcx.entries()) {
    const status = yield* tdh_vp_addcx(current.cpu, vp, page);
    if (status !== 0n) {
      for (const left of tdcx.slice(i)) freePage(current, left);
      return vmBugged(current, vm, `TDH.VP.ADDCX returned 0x${status.toString(16)}`);
    }
    vp.tdcx_pages.push(page);
  }
  const status = yield* tdh_vp_init(current.cpu, vp, initialRcx, vcpu.id);
  return status === 0n ? 0 : vmBugged(current, vm, `TDH.VP.INIT returned 0x${status.toString(16)}`);
}

/** Posted interrupts. A failure bugs the VM, but the ioctl still returns 0. */
function* writeVmcs(current: Thread, vcpu: Vcpu): Software {
  const { vp, postedInterruptDescriptor } = vcpu.td!;
  const writes = [
    [VMCS_ENCODING.POSTED_INT_NOTIFICATION_VECTOR, POSTED_INTR_VECTOR, 0xffffn],
    [VMCS_ENCODING.POSTED_INT_DESC_ADDR, BigInt(postedInterruptDescriptor), 0xffff_ffff_ffff_ffffn],
    [VMCS_ENCODING.PIN_BASED_VM_EXEC_CONTROL, PIN_BASED_POSTED_INTR, PIN_BASED_POSTED_INTR],
  ] as const;
  for (const [encoding, value, mask] of writes) {
    const status = yield* tdh_vp_wr(current.cpu, vp, vmcsField(encoding), value, mask);
    if (status !== 0n) vmBugged(current, vcpu.vm, `TDH.VP.WR returned 0x${status.toString(16)}`);
  }
}
