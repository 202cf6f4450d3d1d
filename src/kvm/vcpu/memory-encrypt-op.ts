import { copy_from_user, type Thread } from '../../linux/index.ts';
import type { Software } from '../../platform/index.ts';
import { EFAULT, EINTR, EINVAL } from '../../spec/errno.ts';
import { KVM_TDX_GET_CPUID, KVM_TDX_INIT_MEM_REGION, KVM_TDX_INIT_VCPU, kvm_tdx_cmd } from '../../spec/kvm-uapi.ts';
import { asEvent, readCommand, type TdxCommand } from '../tdx/command.ts';
import { getCpuid } from '../tdx/get-cpuid.ts';
import { lockVmState, unlockVmState } from '../tdx/guard.ts';
import { initMemRegion } from '../tdx/init-mem-region.ts';
import { initVcpu } from '../tdx/init-vcpu.ts';
import { isInitialized } from '../tdx/td.ts';
import type { VcpuIoctl } from './ioctls.ts';
import { vcpuLoad } from './load.ts';
import type { Vcpu } from './vcpu.ts';

export type VcpuCommand = (current: Thread, vcpu: Vcpu, command: TdxCommand) => Software<number>;

/** Served while every vCPU of the VM is locked. */
const UNLOCKED: ReadonlyMap<number, VcpuCommand> = new Map([
  [KVM_TDX_INIT_VCPU, initVcpu],
  [KVM_TDX_INIT_MEM_REGION, initMemRegion],
]);
/** Served under the vCPU's own mutex, after the first handler has passed. */
const LOCKED: ReadonlyMap<number, VcpuCommand> = new Map([[KVM_TDX_GET_CPUID, getCpuid]]);

const isOpen = ({ vm }: Vcpu): boolean => isInitialized(vm.td!) && vm.td!.state !== 'runnable';

/** The command, or the errno of the checks that both handlers make. */
function fetch(current: Thread, arg: bigint): TdxCommand | number {
  const bytes = copy_from_user(current, arg, kvm_tdx_cmd.SIZE);
  if (!bytes) return -EFAULT;
  const command = readCommand(bytes);
  return command.hwError === 0n ? command : -EINVAL;
}

/** tdx_vcpu_unlocked_ioctl, then tdx_vcpu_ioctl. The command is never written back. */
export const memoryEncryptOp: VcpuIoctl = function* (current, vcpu, arg) {
  if (!vcpu.td) return -EINVAL;
  const command = fetch(current, arg);
  if (typeof command === 'number') return command;
  const locked = yield* lockVmState(current, vcpu.vm);
  if (locked < 0) return locked;
  const errno = yield* serveUnlocked(current, vcpu, command);
  unlockVmState(vcpu.vm);
  return errno ?? (yield* serveLocked(current, vcpu, arg));
};

/** null: not one of this handler's commands. */
function* serveUnlocked(current: Thread, vcpu: Vcpu, command: TdxCommand): Software<number | null> {
  if (!isOpen(vcpu)) return -EINVAL;
  const handler = UNLOCKED.get(command.id);
  if (!handler) return null;
  yield* vcpuLoad(current, vcpu);
  return yield* asEvent(current, command, handler(current, vcpu, command));
}

function* serveLocked(current: Thread, vcpu: Vcpu, arg: bigint): Software<number> {
  if (!(yield* vcpu.mutex.lockKillable(() => current.signal_pending))) return -EINTR;
  const errno = yield* underMutex(current, vcpu, arg);
  vcpu.mutex.unlock();
  return errno;
}

function* underMutex(current: Thread, vcpu: Vcpu, arg: bigint): Software<number> {
  yield* vcpuLoad(current, vcpu);
  if (!isOpen(vcpu)) return -EINVAL;
  const command = fetch(current, arg);
  if (typeof command === 'number') return command;
  const handler = LOCKED.get(command.id);
  return handler ? yield* asEvent(current, command, handler(current, vcpu, command)) : -EINVAL;
}
