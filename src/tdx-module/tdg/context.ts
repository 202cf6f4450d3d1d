import { GPR, type LogicalProcessor, type Software, type VmExit } from '../../platform/index.ts';
import type { TDG } from '../../spec/leaves.ts';
import { LockScope } from '../lock/scope.ts';
import type { TdxModule } from '../module.ts';
import type { Tdcs } from '../td/tdcs.ts';
import type { Tdvps } from '../td/tdvps.ts';
import type { Outcome } from '../td-exit/outcome.ts';
import { readGpr, writeGpr } from '../td-exit/registers.ts';
import type { TdRun } from '../td-exit/run.ts';

export type TdgName = keyof typeof TDG;

/** One guest leaf: returns its completion status for the guest's RAX; a leaf that leaves the TD instead ends with {@link TdcallStopped}. */
export type GuestLeaf = (ctx: GuestContext) => Software<bigint>;

/** Guest leaves by their names in spec/leaves. */
export type GuestLeafTable = Partial<Readonly<Record<TdgName, GuestLeaf>>>;

/**
 * The TDCALL ends without a status: a TD exit, or an exception, or an interrupt that waits. RIP stays at the instruction and RAX as it
 * was, so that the guest executes it again; `advances` is for the one leaf that is done when it leaves.
 */
export class TdcallStopped {
  readonly outcome: Outcome;
  readonly advances: boolean;
  constructor(outcome: Outcome, advances = false) {
    this.outcome = outcome;
    this.advances = advances;
  }
}

/** What a guest leaf works with. Registers are the guest's, in TDVPS. */
export class GuestContext {
  readonly run: TdRun;
  readonly exit: VmExit;
  /** Bits 23:16 of RAX. */
  readonly version: number;
  /** Guest-side locks: the host goes first where a lock has host priority. */
  readonly locks: LockScope;

  constructor(run: TdRun, exit: VmExit, version: number) {
    this.run = run;
    this.exit = exit;
    this.version = version;
    this.locks = new LockScope(run.lp, 'guest');
  }

  get lp(): LogicalProcessor {
    return this.run.lp;
  }
  get module(): TdxModule {
    return this.run.module;
  }
  get tdcs(): Tdcs {
    return this.run.tdcs;
  }
  get tdvps(): Tdvps {
    return this.run.tdvps;
  }

  get rcx(): bigint {
    return readGpr(this.run, GPR.RCX);
  }
  set rcx(value: bigint) {
    writeGpr(this.run, GPR.RCX, value);
  }
  get rdx(): bigint {
    return readGpr(this.run, GPR.RDX);
  }
  set rdx(value: bigint) {
    writeGpr(this.run, GPR.RDX, value);
  }
  get r8(): bigint {
    return readGpr(this.run, GPR.R8);
  }
  set r8(value: bigint) {
    writeGpr(this.run, GPR.R8, value);
  }
  get r9(): bigint {
    return readGpr(this.run, GPR.R9);
  }
  set r9(value: bigint) {
    writeGpr(this.run, GPR.R9, value);
  }
  get r10(): bigint {
    return readGpr(this.run, GPR.R10);
  }
  set r10(value: bigint) {
    writeGpr(this.run, GPR.R10, value);
  }
  get r11(): bigint {
    return readGpr(this.run, GPR.R11);
  }
  set r11(value: bigint) {
    writeGpr(this.run, GPR.R11, value);
  }
}
