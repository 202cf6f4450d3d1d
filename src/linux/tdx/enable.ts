import type { Software } from '../../platform/index.ts';
import { EINVAL, ENODEV, errnoName } from '../../spec/errno.ts';
import { TDH } from '../../spec/leaves.ts';
import type { Cpu } from '../cpu.ts';
import { cpuhp_remove_state, cpuhp_setup_state } from '../cpu-hotplug.ts';
import { cpu_feature_enabled } from '../cpufeature.ts';
import { on_each_cpu } from '../smp.ts';
import { tdxCpuhp } from './cpu-hotplug.ts';
import { init_tdx_module } from './init-module.ts';
import { seamcall } from './seamcall.ts';

/** What the initcall needs of the CPU, in order. */
const REQUIRED = [
  ['XSAVE', -EINVAL],
  ['MOVDIR64B', -EINVAL],
  ['SELFSNOOP', -ENODEV],
] as const;

/** The boot-time initcall (7.1): features, every CPU into VMX operation and through LP.INIT, then the module. Once. */
export function* tdx_enable_initcall(cpu: Cpu): Software<number> {
  const { tdx } = cpu.kernel;
  if (!tdx.hostPlatform) return -ENODEV;
  for (const [feature, errno] of REQUIRED) if (!cpu_feature_enabled(cpu, feature)) return errno;
  const onlined = yield* cpu.lp.phase(
    'VMXON, TDH.SYS.INIT once, TDH.SYS.LP.INIT on all CPUs',
    cpuhp_setup_state(cpu, tdxCpuhp),
    errnoName,
  );
  if (onlined !== 0) return onlined;
  const errno = yield* initOnce(cpu);
  if (errno !== 0) yield* cpuhp_remove_state(cpu, tdxCpuhp);
  return errno;
}

/**
 * tdx_enable() up to 7.0: called by the first user on demand, every online CPU through tdx_cpu_enable() before.
 * A failure sticks: later callers get -EINVAL.
 */
export function* tdx_enable(cpu: Cpu): Software<number> {
  const { tdx } = cpu.kernel;
  if (!tdx.hostPlatform) return -ENODEV;
  if (tdx.state === 'initialized') return 0;
  if (tdx.state === 'error') return -EINVAL;
  return yield* initOnce(cpu);
}

function* initOnce(cpu: Cpu): Software<number> {
  const { tdx, knobs } = cpu.kernel;
  const errno = yield* init_tdx_module(cpu);
  tdx.errno = errno;
  tdx.state = errno === 0 ? 'initialized' : 'error';
  if (errno === 0) cpu.printk('info', 'virt/tdx', 'TDX-Module initialized');
  else cpu.printk('err', 'virt/tdx', `TDX-Module initialization failed (${errno})`, { errno });
  if (errno !== 0 && knobs['kernel.onInitError'] === 'shutdown') yield* on_each_cpu(cpu, shutDownLp);
  return errno;
}

function* shutDownLp(cpu: Cpu): Software {
  yield* seamcall(cpu, TDH.SYS_LP_SHUTDOWN);
}
