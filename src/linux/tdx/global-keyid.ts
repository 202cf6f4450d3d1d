import type { Software } from '../../platform/index.ts';
import { EINVAL, EIO, ENOMEM, errnoName } from '../../spec/errno.ts';
import { TDH } from '../../spec/leaves.ts';
import type { Cpu } from '../cpu.ts';
import { firstCpuOfEachPackage, smp_call_function_many, smp_call_function_single, wbinvd, wbinvd_on_all_cpus } from '../smp.ts';
import { seamcall_prerr } from './seamcall.ts';
import { pamtRanges, type Tdmr } from './tdmr.ts';

const MASK = 'package mask';

/**
 * Programs the global KeyID's key on one CPU of each package. No cache keeps KeyID-0 lines of the PAMTs coherent with the module's,
 * so they leave the caches first.
 */
export function* config_global_keyid(cpu: Cpu, tdmrs: readonly Tdmr[]): Software<number> {
  const { kernel } = cpu;
  const { knobs } = kernel;
  const flush = knobs['kernel.wbinvdBeforeKeyConfig'] === 'on';
  const before = flush && knobs['kernel.wbinvdWhen'] === 'before';
  const inCaller = knobs['kernel.wbinvdPlacement'] === 'caller';
  const precheck = offlinePackages(cpu, tdmrs);
  if (precheck !== 0) return precheck;
  if (before && inCaller) yield* flushPamts(cpu, tdmrs);
  if (!kernel.slab.kzalloc(MASK)) return -ENOMEM;
  if (before && !inCaller) yield* flushPamts(cpu, tdmrs);
  kernel.tdx.mayHavePrivateMemory = true;
  const configure = knobs['kernel.keyConfig'] === 'parallel' ? parallel(cpu) : packageByPackage(cpu);
  const errno = yield* cpu.lp.phase('global key, a CPU of each package (TDH.SYS.KEY.CONFIG)', configure, errnoName);
  if (errno === 0 && flush && !before) yield* flushPamts(cpu, tdmrs);
  if (errno === 0 || knobs['kernel.keyConfig.leakMask'] === 'off') kernel.slab.kfree(MASK);
  return errno;
}

function flushPamts(cpu: Cpu, tdmrs: readonly Tdmr[]): Software {
  const { 'kernel.pamtFlush': how, 'kernel.wbinvdScope': scope } = cpu.kernel.knobs;
  const what = {
    wbinvd: scope === 'all' ? 'WBINVD on all CPUs' : 'WBINVD on this CPU',
    clflush: 'CLFLUSH of the PAMTs',
    none: 'no flush',
  }[how];
  return cpu.lp.phase(what, doFlush(cpu, tdmrs));
}

function* doFlush(cpu: Cpu, tdmrs: readonly Tdmr[]): Software {
  const { knobs } = cpu.kernel;
  if (knobs['kernel.pamtFlush'] === 'clflush') for (const { base, size } of pamtRanges(tdmrs)) cpu.lp.clflush(base, size);
  if (knobs['kernel.pamtFlush'] !== 'wbinvd') return;
  if (knobs['kernel.wbinvdScope'] === 'local') wbinvd(cpu);
  else yield* wbinvd_on_all_cpus(cpu);
}

/** Starts at -EINVAL: what is returned if no CPU is online. */
function* packageByPackage(cpu: Cpu): Software<number> {
  let errno = -EINVAL;
  for (const target of firstCpuOfEachPackage(cpu.kernel.cpus)) {
    const called = yield* smp_call_function_single(cpu, target.id, function* (there) {
      errno = yield* do_global_key_config(there);
    });
    if (called !== 0) return called;
    if (errno !== 0) break;
  }
  return errno;
}

function* parallel(cpu: Cpu): Software<number> {
  const errnos: number[] = [];
  const targets = firstCpuOfEachPackage(cpu.kernel.cpus).map((target) => target.id);
  const called = yield* smp_call_function_many(cpu, targets, function* (there) {
    errnos.push(yield* do_global_key_config(there));
  });
  return called || errnos.find((errno) => errno !== 0) || 0;
}

const do_global_key_config = (cpu: Cpu): Software<number> => seamcall_prerr(cpu, TDH.SYS_KEY_CONFIG);

/** Policy for packages that have memory and keys but no online CPU; upstream leaves it to the module, which finds out late. */
const offlinePackages = (cpu: Cpu, tdmrs: readonly Tdmr[]): number => {
  const { platform, cpus, knobs } = cpu.kernel;
  const policy = knobs['kernel.offlinePackagePolicy'];
  if (policy === 'fail-late') return 0;
  const online = new Set(firstCpuOfEachPackage(cpus).map((first) => first.package));
  const withPamt = new Set(
    pamtRanges(tdmrs).flatMap(({ base, size }) => [platform.nodeOf(base), platform.nodeOf(base + size - 1)]),
  );
  const missing = [...Array(platform.packages).keys()].filter(
    (pkg) => !online.has(pkg) && (policy === 'precheck' || withPamt.has(pkg)),
  );
  if (missing.length === 0) return 0;
  cpu.printk('err', 'virt/tdx', `package ${missing.join(', ')}: no online CPU to configure the global KeyID`, {
    package: missing[0]!,
  });
  return -EIO;
};
