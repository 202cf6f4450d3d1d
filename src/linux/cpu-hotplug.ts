import type { Software } from '../platform/index.ts';
import type { Cpu } from './cpu.ts';
import { smp_call_function_single } from './smp.ts';

/** A cpuhp state: callbacks that run on the CPU when it comes or goes. Their errno stops it. */
export interface CpuhpState {
  readonly name: string;
  startup(cpu: Cpu): number | Software<number>;
  teardown(cpu: Cpu): number | Software<number>;
}

function* callOn(from: Cpu, cpu: Cpu, callback: (cpu: Cpu) => number | Software<number>): Software<number> {
  let errno = 0;
  const called = yield* smp_call_function_single(from, cpu.id, function* (there) {
    const result = callback(there);
    errno = typeof result === 'number' ? result : yield* result;
  });
  return called || errno;
}

/** Registers a state and runs its startup on every online CPU in turn; on an error those that ran are torn down. */
export function* cpuhp_setup_state(from: Cpu, state: CpuhpState): Software<number> {
  const { kernel } = from;
  const done: Cpu[] = [];
  for (const cpu of kernel.onlineCpus) {
    const errno = yield* callOn(from, cpu, state.startup);
    if (errno !== 0) {
      for (const undo of done.reverse()) yield* callOn(from, undo, state.teardown);
      return errno;
    }
    done.push(cpu);
  }
  kernel.cpuhpStates.push(state);
  return 0;
}

/** Unregisters a state after its teardown on every online CPU. */
export function* cpuhp_remove_state(from: Cpu, state: CpuhpState): Software {
  const { kernel } = from;
  for (const cpu of kernel.onlineCpus) yield* callOn(from, cpu, state.teardown);
  kernel.cpuhpStates.splice(kernel.cpuhpStates.indexOf(state), 1);
}

/** `echo 1 > …/cpuN/online`: 0, or the errno of the callback that keeps it offline. */
export function* cpu_up(from: Cpu, id: number): Software<number> {
  const cpu = from.kernel.cpus[id]!;
  if (cpu.online) return 0;
  cpu.online = true;
  for (const state of from.kernel.cpuhpStates) {
    const errno = yield* callOn(from, cpu, state.startup);
    if (errno === 0) continue;
    cpu.online = false;
    return errno;
  }
  return 0;
}

/** `echo 0 > …/cpuN/online`: 0, or the errno of the callback that refuses. */
export function* cpu_down(from: Cpu, id: number): Software<number> {
  const cpu = from.kernel.cpus[id]!;
  if (!cpu.online) return 0;
  for (const state of [...from.kernel.cpuhpStates].reverse()) {
    const errno = yield* callOn(from, cpu, state.teardown);
    if (errno !== 0) return errno;
  }
  cpu.online = false;
  return 0;
}
