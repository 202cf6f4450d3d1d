import { loadKvm } from '../kvm/index.ts';
import { type Cpu, on_each_cpu, tdx_cpu_enable, tdx_enable, x86_virt_get_ref } from '../linux/index.ts';
import type { Software } from '../platform/index.ts';
import { errnoName } from '../spec/errno.ts';
import type { KnobVector } from './knobs.ts';

/** A driver that wants TDX in a kernel without KVM TDX (6.8 and older): every CPU into VMX operation, TDX on each, then the module. */
export function* useTdx(cpu: Cpu): Software<number> {
  return yield* cpu.lp.phase('first user of TDX: VMXON and tdx_cpu_enable() on each CPU, tdx_enable()', enable(cpu), errnoName);
}

function* enable(cpu: Cpu): Software<number> {
  let failed = 0;
  yield* on_each_cpu(cpu, function* (there) {
    const errno = x86_virt_get_ref(there) || (yield* tdx_cpu_enable(there));
    failed ||= errno;
  });
  return failed || (yield* tdx_enable(cpu));
}

/** KVM as that user; gives the errno of loading it. */
export function* useTdxByKvm(cpu: Cpu, vector: KnobVector): Software<number> {
  const kvm = yield* loadKvm(cpu, vector);
  return typeof kvm === 'number' ? kvm : 0;
}
