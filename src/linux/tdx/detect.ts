import { HardwareException, type Software } from '../../platform/index.ts';
import { EINVAL, ENODEV } from '../../spec/errno.ts';
import { TDH } from '../../spec/leaves.ts';
import { MSR } from '../../spec/msr.ts';
import { TDX_SEAMCALL_GP } from '../../spec/status.ts';
import type { Cpu } from '../cpu.ts';
import { bootCpuHasPartialWriteBug } from '../cpufeature.ts';
import { x86_virt_get_ref, x86_virt_put_ref } from '../vmx.ts';
import { GuestKeyIdPool } from './keyid-pool.ts';
import { seamcall } from './seamcall.ts';

const LOW = 0xffff_ffffn;

interface Partitioning {
  readonly mktme: number;
  readonly tdx: number;
}

const partitioning = (cpu: Cpu): Partitioning | null => {
  try {
    const value = cpu.lp.rdmsr(MSR.IA32_MKTME_KEYID_PARTITIONING);
    return { mktme: Number(value & LOW), tdx: Number(value >> 32n) };
  } catch (exception) {
    if (exception instanceof HardwareException && exception.vector === '#GP') return null;
    throw exception;
  }
};

/** Knob kernel.detect: at boot by the MSR, or only when somebody wants TDX, by a SEAMCALL that faults where BIOS has not enabled it. */
export function* detect_tdx(cpu: Cpu): Software<number> {
  if (cpu.kernel.knobs['kernel.detect'] === 'boot-msr') return tdx_init(cpu);
  const reference = x86_virt_get_ref(cpu);
  if (reference !== 0) return reference;
  const status = yield* seamcall(cpu, TDH.SYS_RD);
  x86_virt_put_ref(cpu);
  return status === TDX_SEAMCALL_GP ? -ENODEV : tdx_init(cpu);
}

/**
 * tdx_init(): early in boot, before the other CPUs run. Sets up {@link Kernel.tdx}; the errno is only for the caller's eyes
 * (a machine without TDX boots on).
 */
export const tdx_init = (cpu: Cpu): number => {
  const { kernel } = cpu;
  const { tdx, knobs } = kernel;
  const info = (text: string, facts = {}) => cpu.printk('info', 'virt/tdx', text, facts);
  const fail = (errno: number, text: string, facts = {}): number => {
    cpu.printk('err', 'virt/tdx', `initialization failed: ${text}`, facts);
    return errno;
  };

  const found = partitioning(cpu);
  if (!found || found.tdx === 0) return -EINVAL;
  const start = found.mktme + 1;
  info(`BIOS enabled: private KeyID range [${start}, ${start + found.tdx})`, { start, count: found.tdx });
  if (found.tdx < 2) return fail(-ENODEV, 'too few private KeyIDs available.', { count: found.tdx });
  if (knobs['kernel.hibernation'] === 'on') return fail(-ENODEV, 'Hibernation support is enabled');
  const registered = kernel.memoryNotifiers.register();
  if (registered !== 0) return fail(-ENODEV, `register_memory_notifier() failed (${registered})`, { errno: registered });
  if (kernel.acpi.suspendToRam) {
    kernel.acpi.suspendToRam = false;
    info('Disable ACPI S3. Turn off TDX in the BIOS to use ACPI S3.');
  }
  tdx.globalKeyId = start;
  tdx.keyIdCount = found.tdx;
  tdx.guestKeyIds = new GuestKeyIdPool(start + 1, found.tdx - 1);
  tdx.hostPlatform = knobs['cmdline.use_tdx'] !== 'off';
  tdx.hasPartialWriteBug = bootCpuHasPartialWriteBug(cpu);
  if (knobs['kernel.trackPrivatePages'] === 'on') tdx.privatePages = new Set();
  return 0;
};
