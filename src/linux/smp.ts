import { COST, Completion, type Software } from '../platform/index.ts';
import { ENXIO } from '../spec/errno.ts';
import type { Cpu } from './cpu.ts';
import { guard } from './mce.ts';

/** What runs on the called CPU: a program, or a few instructions that nothing can overtake. */
export type SmpFunction = (cpu: Cpu) => Software | undefined;

function* run(cpu: Cpu, fn: SmpFunction): Software {
  const software = fn(cpu);
  if (software) yield* software;
}

/** Waits until `completion` is done; the waiter's clock is then not before it. */
export function* wait_for_completion(cpu: Cpu, completion: Completion, what: string): Software {
  while (!completion.done) yield { what, ready: () => completion.done };
  cpu.lp.joinTime(completion.at);
}

/** Sends `fn` to another CPU; its interrupt entry saves the registers of what it interrupts. */
const send = (from: Cpu, target: Cpu, fn: SmpFunction): Completion => {
  const completion = new Completion();
  from.lp.spend(COST.ipi);
  from.kernel.platform.interrupt(from.lp, target.lp, function* () {
    const saved = target.lp.gpr.slice();
    const { carry } = target.lp;
    const event = target.lp.beginEvent('ipi', `call from CPU ${from.id}`);
    yield* guard(target, run(target, fn));
    target.lp.endEvent(event);
    target.lp.gpr.set(saved);
    target.lp.carry = carry;
    completion.complete(target.lp.now);
  });
  return completion;
};

/** Runs `fn` on CPU `target` and waits for it: 0, or -ENXIO when that CPU is not online. */
export function* smp_call_function_single(from: Cpu, target: number, fn: SmpFunction): Software<number> {
  const started = start(from, target, fn);
  if (typeof started === 'number') return started;
  if (started.local) yield* run(from, fn);
  else yield* wait_for_completion(from, started.completion, `CPU ${target}`);
  return 0;
}

type Started = { readonly local: true } | { readonly local: false; readonly completion: Completion };

function start(from: Cpu, target: number, fn: SmpFunction): Started | number {
  const cpu = from.kernel.cpus[target];
  if (!cpu?.online || from.kernel.faults.callFails(target)) return -ENXIO;
  return cpu === from ? { local: true } : { local: false, completion: send(from, cpu, fn) };
}

/** Runs `fn` on these CPUs at the same time and waits for all: 0, or the first -ENXIO (the others still ran). */
export function* smp_call_function_many(from: Cpu, targets: readonly number[], fn: SmpFunction): Software<number> {
  const started = targets.map((target) => start(from, target, fn));
  for (const call of started) if (typeof call !== 'number' && call.local) yield* run(from, fn);
  for (const call of started)
    if (typeof call !== 'number' && !call.local) yield* wait_for_completion(from, call.completion, 'other CPUs');
  return started.find((call) => typeof call === 'number') ?? 0;
}

/** Runs `fn` on every online CPU and waits for all. */
export function* on_each_cpu(from: Cpu, fn: SmpFunction): Software {
  yield* smp_call_function_many(
    from,
    from.kernel.onlineCpus.map((cpu) => cpu.id),
    fn,
  );
}

/** WBINVD on this CPU. */
export const wbinvd = (cpu: Cpu): undefined => {
  const event = cpu.lp.beginEvent('instruction', 'WBINVD');
  cpu.kernel.counters.wbinvd++;
  cpu.lp.wbinvd();
  cpu.lp.endEvent(event);
};

/** tdx_flush_cache_local(): WBINVD if this CPU's cache may hold private lines. True when it did. */
export const tdx_flush_cache_local = (cpu: Cpu): boolean => {
  if (!cpu.cacheIncoherent) return false;
  wbinvd(cpu);
  cpu.cacheIncoherent = false;
  return true;
};

export function* wbinvd_on_all_cpus(from: Cpu): Software {
  const event = from.lp.beginEvent('instruction', 'WBINVD on all CPUs');
  yield* on_each_cpu(from, wbinvd);
  from.lp.endEvent(event);
}

/** The lowest-numbered online CPU of each package that has one. */
export const firstCpuOfEachPackage = (cpus: readonly Cpu[]): Cpu[] =>
  cpus.filter((cpu, index) => cpu.online && !cpus.slice(0, index).some((other) => other.online && other.package === cpu.package));
