import type { MachineEvent, Probe } from '../../platform/probe.ts';
import { isSuccess } from '../../spec/status.ts';

/** A SEAMCALL that returned, as an auditor reads it from the log. */
export interface Call {
  readonly event: number;
  readonly lp: number;
  readonly name: string;
  readonly rcx: bigint;
  readonly rdx: bigint;
  readonly r8: bigint;
  /** Results; a register that the leaf left alone has its operand. */
  readonly out: { readonly rcx: bigint; readonly rdx: bigint; readonly r8: bigint };
}

const register = (event: MachineEvent, name: string, from: 'args' | 'outputs'): bigint =>
  BigInt(event[from][name] ?? event.args[name] ?? 0);

const asCall = (event: MachineEvent): Call => ({
  event: event.id,
  lp: event.lp,
  name: event.name,
  rcx: register(event, 'rcx', 'args'),
  rdx: register(event, 'rdx', 'args'),
  r8: register(event, 'r8', 'args'),
  out: {
    rcx: register(event, 'rcx', 'outputs'),
    rdx: register(event, 'rdx', 'outputs'),
    r8: register(event, 'r8', 'outputs'),
  },
});

/** SEAMCALLs that succeeded, in the order in which they returned: locks were held until then, so that is the order of effects. */
export function successfulCalls(probe: Probe): Call[] {
  return probe.events.events
    .filter((event) => event.kind === 'seamcall' && event.outputs.rax !== undefined && isSuccess(BigInt(event.outputs.rax)))
    .sort((a, b) => a.ended - b.ended)
    .map(asCall);
}
