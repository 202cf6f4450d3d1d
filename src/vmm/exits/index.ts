import type { Software } from '../../platform/software.ts';
import {
  KVM_EXIT_HYPERCALL,
  KVM_EXIT_INTERNAL_ERROR,
  KVM_EXIT_IO,
  KVM_EXIT_MEMORY_FAULT,
  KVM_EXIT_MMIO,
  KVM_EXIT_SHUTDOWN,
  KVM_EXIT_SYSTEM_EVENT,
  KVM_EXIT_TDX,
  kvm_run,
} from '../../spec/kvm-uapi.ts';
import type { TdMachine } from '../machine.ts';
import type { StopReason } from '../options.ts';
import type { Scratch } from '../scratch.ts';
import type { Syscalls } from '../syscalls.ts';
import type { Vcpu } from '../vcpu.ts';
import { hypercall } from './hypercall.ts';
import { io } from './io.ts';
import { memoryFault } from './memory-fault.ts';
import { mmio } from './mmio.ts';
import { tdx } from './tdx.ts';

/** What an exit handler works with; `run` is a copy of kvm_run up to its register area. */
export interface ExitContext {
  readonly syscalls: Syscalls;
  readonly machine: TdMachine;
  readonly vcpu: Vcpu;
  readonly run: Uint8Array;
  readonly scratch: Scratch;
}

/** What the exit carried, for the observer; `stop` ends the TD. */
export interface ExitOutcome {
  readonly detail: Readonly<Record<string, string | number>>;
  readonly stop?: StopReason;
}

export type ExitHandler = (context: ExitContext) => Software<ExitOutcome>;

const shutdown: ExitHandler = function* () {
  return { detail: {}, stop: { kind: 'shutdown' } };
};

const internalError: ExitHandler = function* ({ run }) {
  const status = kvm_run.internal.data.get(run, 0);
  return {
    detail: { suberror: kvm_run.internal.suberror.get(run), status: `0x${status.toString(16)}` },
    stop: { kind: 'internal-error', status },
  };
};

const systemEvent: ExitHandler = function* ({ run }) {
  const { type, ndata, data } = kvm_run.system_event;
  const words = Array.from({ length: Math.min(ndata.get(run), data.count) }, (_, i) => data.get(run, i));
  return { detail: { type: type.get(run) }, stop: { kind: 'fatal-error', data: words } };
};

const HANDLERS: ReadonlyMap<number, ExitHandler> = new Map([
  [KVM_EXIT_IO, io],
  [KVM_EXIT_MMIO, mmio],
  [KVM_EXIT_HYPERCALL, hypercall],
  [KVM_EXIT_MEMORY_FAULT, memoryFault],
  [KVM_EXIT_TDX, tdx],
  [KVM_EXIT_SYSTEM_EVENT, systemEvent],
  [KVM_EXIT_SHUTDOWN, shutdown],
  [KVM_EXIT_INTERNAL_ERROR, internalError],
]);

/** Answers an exit. null: back into the guest. */
export function* handleExit(context: ExitContext, name: string, reason: number): Software<StopReason | null> {
  const handler = HANDLERS.get(reason);
  if (!handler) return { kind: 'unexpected-exit', reason: name };
  const { detail, stop } = yield* handler(context);
  context.machine.options.observer?.exit?.(context.vcpu.index, name, detail);
  return stop ?? null;
}
