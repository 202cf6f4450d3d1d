import type { Software } from '../../platform/index.ts';
import { EBUSY } from '../../spec/errno.ts';
import type { Cpu } from '../cpu.ts';
import type { CpuhpState } from '../cpu-hotplug.ts';
import { x86_virt_get_ref, x86_virt_put_ref } from '../vmx.ts';
import { tdx_cpu_enable } from './cpu-enable.ts';

/** A CPU comes online: VMX operation, then the module on this CPU. */
function* tdx_online_cpu(cpu: Cpu): Software<number> {
  const owner = cpu.kernel.knobs['kernel.vmxonOwner'] === 'arch';
  const reference = owner ? x86_virt_get_ref(cpu) : 0;
  if (reference !== 0) return reference;
  const errno = yield* tdx_cpu_enable(cpu);
  if (errno !== 0 && owner) x86_virt_put_ref(cpu);
  return errno;
}

/** A CPU goes: while a TD has a KeyID every package needs a CPU that can flush its cache. */
function tdx_offline_cpu(cpu: Cpu): number {
  const errno = tdx_may_offline(cpu);
  if (errno === 0) x86_virt_put_ref(cpu);
  return errno;
}

/** The offline rule by itself: 0, or -EBUSY with a message. */
export const tdx_may_offline = (cpu: Cpu): number => {
  const { tdx, onlineCpus } = cpu.kernel;
  if (!tdx.guestKeyIds || tdx.guestKeyIds.inUse.size === 0) return 0;
  if (onlineCpus.some((other) => other !== cpu && other.package === cpu.package)) return 0;
  cpu.printk(
    'warn',
    'virt/tdx',
    'TDX requires all packages to have an online CPU. Delete all TDs in order to offline all CPUs of a package.',
    { package: cpu.package },
  );
  return -EBUSY;
};

/** `virt/tdx:online`. */
export const tdxCpuhp: CpuhpState = { name: 'virt/tdx:online', startup: tdx_online_cpu, teardown: tdx_offline_cpu };
