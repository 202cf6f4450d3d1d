/** KVM with TDX: upstream's ABI as of Linux 7.1. {@link loadKvm} registers /dev/kvm with the kernel. */
export { type KvmKnobs, kvmKnobs } from './knobs.ts';
export type { Kvm, TdxCaps } from './kvm.ts';
export { loadKvm } from './load.ts';
export type { Td, TdVcpu } from './tdx/td.ts';
export { NotModelled } from './vcpu/ioctls.ts';
export type { Vcpu } from './vcpu/vcpu.ts';
export type { Vm } from './vm/vm.ts';
