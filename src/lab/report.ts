import type { KnobValue } from '../spec/knob.ts';
import type { CausalStep } from './explain.ts';
import type { Finding } from './oracles/index.ts';

/** One line of the main job: what was done, when (virtual nanoseconds), with which SEAMCALLs, and how it ended. */
export interface StepRecord {
  readonly phase: string;
  readonly name: string;
  readonly start: number;
  readonly end: number;
  /** SEAMCALLs made during the step. */
  readonly seamcalls: number;
  readonly outcome: 'ok' | 'failed' | 'skipped' | 'lost';
  /** Facts of the step, or why it failed or was skipped. */
  readonly detail: string;
}

/** How a run ended. */
export interface Verdict {
  /**
   * `ok`: every step and every oracle. `errno`: a step returned an error. `mc`: a machine check. `panic`: another exception nobody handled.
   * `oracle`: the run ended well and an oracle objects.
   */
  readonly kind: 'ok' | 'errno' | 'mc' | 'panic' | 'oracle';
  /** Name of the errno (`-EIO`), for `errno`. */
  readonly errno: string;
  readonly text: string;
}

/** A knob whose restoration to its reference value makes the failure go away (DESIGN.md §3, provenance). */
export interface Cause {
  readonly knob: string;
  readonly value: KnobValue;
  readonly reference: KnobValue;
  /** Requirement ids of the knob. */
  readonly requirements: readonly string[];
  readonly about: string;
}

export interface Attestation {
  /** 96 lower-case hex digits, as are the RTMRs. */
  readonly mrtd: string;
  readonly rtmrs: readonly string[];
  readonly attributes: bigint;
  readonly xfam: bigint;
  readonly mrConfigId: string;
  readonly mrOwner: string;
  readonly mrOwnerConfig: string;
  readonly reportData: string;
  readonly teeTcbInfoHash: string;
  readonly teeInfoHash: string;
  readonly mac: string;
}

export interface BootReport {
  readonly profile: string;
  readonly seed: bigint;
  readonly firmware: { readonly name: string; readonly bytes: number };
  readonly knobs: Readonly<Record<string, KnobValue>>;
  readonly steps: readonly StepRecord[];
  readonly guestLog: readonly string[];
  readonly kernelLog: readonly string[];
  readonly attestation: Attestation | null;
  readonly counters: Readonly<Record<string, number>>;
  /** SEAMCALLs by leaf name. */
  readonly seamcalls: Readonly<Record<string, number>>;
  readonly findings: readonly Finding[];
  readonly chain: readonly CausalStep[];
  readonly causes: readonly Cause[];
  readonly verdict: Verdict;
  /** Bytes of Wasm memory that the simulated machine takes. */
  readonly memoryUsed: number;
  /** SHA-256 over all events: equal for equal seed, knobs and input. */
  readonly traceHash: string;
}
