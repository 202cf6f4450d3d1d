import { smp_call_function_single, type Thread, tdh_vp_flush } from '../../linux/index.ts';
import type { Software } from '../../platform/index.ts';
import { statusCode, TDX_VCPU_NOT_ASSOCIATED } from '../../spec/status.ts';
import { vmBugged } from '../vm/vm.ts';
import type { Vcpu } from './vcpu.ts';

/** tdx_flush_vp_on_cpu: the module's association of a vCPU with a CPU ends on that CPU. */
export function* flushVpOnCpu(current: Thread, vcpu: Vcpu): Software {
  const td = vcpu.td!;
  if (td.associatedCpu < 0) return;
  let status = 0n;
  yield* smp_call_function_single(current.cpu, td.associatedCpu, function* (cpu) {
    status = yield* tdh_vp_flush(cpu, td.vp);
  });
  td.associatedCpu = -1;
  if (status !== 0n && statusCode(status) !== TDX_VCPU_NOT_ASSOCIATED)
    vmBugged(current, vcpu.vm, `TDH.VP.FLUSH returned 0x${status.toString(16)}`);
}

/** vcpu_load: the vCPU belongs to the calling thread's CPU from here on. */
export function* vcpuLoad(current: Thread, vcpu: Vcpu): Software {
  const { id } = current.cpu;
  if (vcpu.td && vcpu.td.associatedCpu !== id) {
    yield* flushVpOnCpu(current, vcpu);
    if (vcpu.td.state === 'initialized') vcpu.td.associatedCpu = id;
  }
  vcpu.cpu = id;
}
