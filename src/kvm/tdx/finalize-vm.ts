import { tdh_mr_finalize } from '../../linux/index.ts';
import { EBUSY, EINVAL } from '../../spec/errno.ts';
import { statusCode, TDX_OPERAND_BUSY } from '../../spec/status.ts';
import type { VmCommand } from '../vm/memory-encrypt-op.ts';
import { vmBugged } from '../vm/vm.ts';
import { isInitialized } from './td.ts';

/** KVM_TDX_FINALIZE_VM: the measurement is complete and the TD can run. Flags are documented as 0 but not looked at. */
export const finalizeVm: VmCommand = function* (current, vm) {
  const td = vm.td!;
  if (!isInitialized(td) || td.state === 'runnable') return { errno: -EINVAL };
  const status = yield* tdh_mr_finalize(current.cpu, td.pages);
  if (statusCode(status) === TDX_OPERAND_BUSY) return { errno: -EBUSY, hwError: status };
  if (status !== 0n)
    return { errno: vmBugged(current, vm, `TDH.MR.FINALIZE returned 0x${status.toString(16)}`), hwError: status };
  td.state = 'runnable';
  return { errno: 0 };
};
