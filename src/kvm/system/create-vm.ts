import { File } from '../../linux/index.ts';
import { EINVAL } from '../../spec/errno.ts';
import { KVM_MAX_VCPU_IDS, KVM_X86_DEFAULT_VM, KVM_X86_TDX_VM } from '../../spec/kvm-uapi.ts';
import type { Td } from '../tdx/td.ts';
import { vmFileOperations } from '../vm/index.ts';
import { makeVm } from '../vm/vm.ts';
import type { SystemIoctl } from './index.ts';

const uninitializedTd = (): Td => ({
  state: 'uninitialized',
  hkid: 0,
  pages: { tdr_page: 0, tdcs_pages: [] },
  attributes: 0n,
  xfam: 0n,
  tscOffset: 0n,
  tscMultiplier: 0n,
  sharedBit: 0,
  mirror: null,
  shared: null,
  pageAddSource: 0,
  waitForSeptZap: false,
});

/** A VM's file descriptor; the argument is the VM type. */
export const createVm: SystemIoctl = function* (current, kvm, arg) {
  const type = Number(arg);
  const isSupported = type === KVM_X86_DEFAULT_VM || (type === KVM_X86_TDX_VM && kvm.tdx !== null);
  if (!isSupported) return -EINVAL;
  const td = type === KVM_X86_TDX_VM ? uninitializedTd() : null;
  const vm = makeVm(kvm, type, current.process, td, { maxVcpuIds: KVM_MAX_VCPU_IDS, tscKhz: kvm.tscKhz });
  kvm.vms.add(vm);
  return current.process.files.install(new File(vmFileOperations(vm), vm));
};
