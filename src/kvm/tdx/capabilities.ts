import { copy_from_user, copy_to_user, type Thread } from '../../linux/index.ts';
import type { Software } from '../../platform/index.ts';
import { writeEntries } from '../../spec/cpuid-entry.ts';
import { E2BIG, EFAULT, EINVAL, EIO } from '../../spec/errno.ts';
import { kvm_tdx_capabilities } from '../../spec/kvm-uapi.ts';
import type { Vm } from '../vm/vm.ts';
import type { TdxCommand } from './command.ts';

/** GetTdVmCallInfo leaf 1, R11: SetupEventNotifyInterrupt. GetQuote has no bit here although KVM serves it. */
const SETUP_EVENT_NOTIFY = 1n << 1n;

/** KVM_TDX_CAPABILITIES: what INIT_VM may ask for. */
export function* capabilities(current: Thread, vm: Vm, command: TdxCommand): Software<number> {
  const tdx = vm.kvm.tdx!;
  const { cpuid, ...layout } = kvm_tdx_capabilities;
  if (command.flags !== 0) return -EINVAL;
  const header = copy_from_user(current, command.data + BigInt(cpuid.nent.offset), cpuid.nent.size);
  if (!header) return -EFAULT;
  if (cpuid.nent.load(header, 0) < tdx.cpuidConfigs.length) return -E2BIG;
  if (tdx.supportedAttrs === 0n || tdx.supportedXfam === 0n) return -EIO;
  const bytes = new Uint8Array(layout.SIZE);
  layout.supported_attrs.set(bytes, tdx.supportedAttrs);
  layout.supported_xfam.set(bytes, tdx.supportedXfam);
  layout.user_tdvmcallinfo_1_r11.set(bytes, SETUP_EVENT_NOTIFY);
  cpuid.nent.set(bytes, tdx.cpuidConfigs.length);
  if (copy_to_user(current, command.data, bytes) < 0) return -EFAULT;
  return copy_to_user(current, command.data + BigInt(layout.SIZE), writeEntries(tdx.cpuidConfigs));
}
