import type { Thread } from '../../linux/index.ts';
import type { Software } from '../../platform/index.ts';
import { errnoName } from '../../spec/errno.ts';
import { kvm_tdx_cmd, TDX_COMMAND_NAMES } from '../../spec/kvm-uapi.ts';

/** struct kvm_tdx_cmd as values. */
export interface TdxCommand {
  readonly id: number;
  readonly flags: number;
  readonly data: bigint;
  readonly hwError: bigint;
}

export const readCommand = (bytes: Uint8Array): TdxCommand => ({
  id: kvm_tdx_cmd.id.get(bytes),
  flags: kvm_tdx_cmd.flags.get(bytes),
  data: kvm_tdx_cmd.data.get(bytes),
  hwError: kvm_tdx_cmd.hw_error.get(bytes),
});

/** Runs a command as an event of its own name, inside the event of the ioctl. */
export function* asEvent(current: Thread, command: TdxCommand, work: Software<number>): Software<number> {
  const event = current.cpu.lp.beginEvent('ioctl', TDX_COMMAND_NAMES.get(command.id) ?? `KVM_TDX command ${command.id}`);
  const errno = yield* work;
  current.cpu.lp.endEvent(event, errnoName(errno));
  return errno;
}
