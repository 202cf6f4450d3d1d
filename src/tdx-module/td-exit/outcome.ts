import type { Software, VmExit } from '../../platform/index.ts';
import { EXTENDED_EXIT_QUALIFICATION, LAST_TD_EXIT, VCPU_STATE } from '../../spec/states.ts';
import {
  TDX_HOST_PRIORITY_BUSY_TIMEOUT,
  TDX_NON_RECOVERABLE_TD,
  TDX_NON_RECOVERABLE_TD_CORRUPTED_MD,
  TDX_NON_RECOVERABLE_VCPU,
  TDX_SUCCESS,
} from '../../spec/status.ts';
import type { TdRun } from './run.ts';

/** An asynchronous TD exit: what the host will find in its registers. */
export interface AsyncExit {
  readonly kind: 'async';
  /** Bits 63:32 of RAX. */
  readonly status: bigint;
  /** Bits 31:0 of RAX: the VMX exit reason. */
  readonly reason: number;
  readonly qualification: bigint;
  /** RDX: type in 3:0 ({@link EXTENDED_EXIT_QUALIFICATION}), information in 63:32. */
  readonly extended: bigint;
  /** R8; the low 12 bits never leave. */
  readonly gpa: bigint;
  /** R9: VM-exit interruption information. */
  readonly interruptionInfo: number;
}

/** TDG.VP.VMCALL: the guest chose what the host sees. */
export interface TdvmcallExit {
  readonly kind: 'tdvmcall';
  /** The guest's RCX. */
  readonly mask: bigint;
}

/** After an exit was handled: the guest goes on (null), or the TD is left. */
export type Outcome = AsyncExit | TdvmcallExit | null;
export type ExitHandler = (run: TdRun, exit: VmExit) => Software<Outcome>;

/** What an exit does to the VCPU and its TD, by status (td-exits.md §1); statuses that are not here are like TDX_SUCCESS. */
interface ExitEffect {
  readonly vcpuState: number | null;
  readonly lastTdExit: number | null;
  readonly fatal: boolean;
}
const RETURNS: ExitEffect = { vcpuState: VCPU_STATE.READY, lastTdExit: LAST_TD_EXIT.ASYNC_FAULT, fatal: false };
const KILLS_TD: ExitEffect = { vcpuState: null, lastTdExit: null, fatal: true };
const EFFECTS: ReadonlyMap<bigint, ExitEffect> = new Map([
  [TDX_HOST_PRIORITY_BUSY_TIMEOUT, { ...RETURNS, lastTdExit: LAST_TD_EXIT.ASYNC_TRAP }],
  [TDX_NON_RECOVERABLE_VCPU, { vcpuState: VCPU_STATE.DISABLED, lastTdExit: null, fatal: false }],
  [TDX_NON_RECOVERABLE_TD, KILLS_TD],
  [TDX_NON_RECOVERABLE_TD_CORRUPTED_MD, KILLS_TD],
]);
export const exitEffect = (status: bigint): ExitEffect => EFFECTS.get(status) ?? RETURNS;

/** An asynchronous exit with the VM exit's own qualification and no address; `fields` say what differs. */
export const asyncExit = (exit: VmExit, fields: Partial<AsyncExit> = {}): AsyncExit => ({
  kind: 'async',
  status: TDX_SUCCESS,
  reason: exit.reason,
  qualification: exit.qualification,
  extended: BigInt(EXTENDED_EXIT_QUALIFICATION.NONE),
  gpa: 0n,
  interruptionInfo: 0,
  ...fields,
});

/** An exit that the module did not expect: a debug TD's host sees it, a production TD is dead. */
export const unexpectedExit = (run: TdRun, exit: VmExit): AsyncExit =>
  asyncExit(exit, { status: run.isDebug ? TDX_SUCCESS : TDX_NON_RECOVERABLE_TD });
