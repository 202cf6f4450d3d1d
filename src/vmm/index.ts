/** A VMM that runs a TD on a TDVF image. It knows its kernel by system calls only. */
export { CallFailed } from './call.ts';
export { Bus, type MmioDevice, type PortDevice, PowerControl, Serial, TestRegister } from './devices/index.ts';
export { checkLoadable } from './loadable.ts';
export { TdMachine } from './machine.ts';
export { DEFAULT_MEMORY, type StopReason, type VmmObserver, type VmmOptions } from './options.ts';
export type { Syscalls, ThreadHandle } from './syscalls.ts';
export type { Vcpu } from './vcpu.ts';
