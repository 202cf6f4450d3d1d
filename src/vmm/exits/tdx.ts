import { kvm_run } from '../../spec/kvm-uapi.ts';
import { TDVMCALL_NAMES } from '../../spec/tdvmcall.ts';
import type { ExitHandler } from './index.ts';

/** TDVMCALLs that userspace may serve. This VMM has no quoting service and no event to notify of: KVM's preset answer stands. */
export const tdx: ExitHandler = function* ({ run }) {
  const nr = kvm_run.tdx.nr.get(run);
  return { detail: { call: TDVMCALL_NAMES.get(nr) ?? `0x${nr.toString(16)}` } };
};
