import { copy_from_user, copy_to_user, type Thread } from '../../linux/index.ts';
import type { Software } from '../../platform/index.ts';
import { EFAULT, EINVAL, ENOTTY } from '../../spec/errno.ts';
import { KVM_TDX_CAPABILITIES, KVM_TDX_FINALIZE_VM, KVM_TDX_INIT_VM, kvm_tdx_cmd } from '../../spec/kvm-uapi.ts';
import { capabilities } from '../tdx/capabilities.ts';
import { asEvent, readCommand, type TdxCommand } from '../tdx/command.ts';
import { finalizeVm } from '../tdx/finalize-vm.ts';
import { lockVmState, unlockVmState } from '../tdx/guard.ts';
import { initVm } from '../tdx/init-vm.ts';
import type { VmIoctl } from './index.ts';
import { isTd, type Vm } from './vm.ts';

/** A command's errno and the status of the SEAMCALL behind it, where it tells. */
export interface CommandResult {
  readonly errno: number;
  readonly hwError?: bigint;
}

export type VmCommand = (current: Thread, vm: Vm, command: TdxCommand) => Software<CommandResult>;

const COMMANDS: ReadonlyMap<number, VmCommand> = new Map([
  [KVM_TDX_INIT_VM, initVm],
  [KVM_TDX_FINALIZE_VM, finalizeVm],
]);

/** tdx_vm_ioctl: the checks that all commands share, in order. CAPABILITIES needs no lock and is not written back. */
export const memoryEncryptOp: VmIoctl = function* (current, vm, arg) {
  if (!isTd(vm)) return -ENOTTY;
  const bytes = copy_from_user(current, arg, kvm_tdx_cmd.SIZE);
  if (!bytes) return -EFAULT;
  const command = readCommand(bytes);
  if (command.hwError !== 0n) return -EINVAL;
  if (command.id === KVM_TDX_CAPABILITIES) return yield* asEvent(current, command, capabilities(current, vm, command));
  const locked = yield* lockVmState(current, vm);
  if (locked < 0) return locked;
  const result = yield* serve(current, vm, arg, command, bytes);
  unlockVmState(vm);
  return result;
};

function* serve(current: Thread, vm: Vm, arg: bigint, command: TdxCommand, bytes: Uint8Array): Software<number> {
  const handler = COMMANDS.get(command.id);
  if (!handler) return -EINVAL;
  let hwError = 0n;
  const errno = yield* asEvent(
    current,
    command,
    (function* () {
      const result = yield* handler(current, vm, command);
      hwError = result.hwError ?? 0n;
      return result.errno;
    })(),
  );
  kvm_tdx_cmd.hw_error.set(bytes, hwError);
  return copy_to_user(current, arg, bytes) < 0 ? -EFAULT : errno;
}
