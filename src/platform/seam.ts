import { seamcallName } from '../spec/leaves.ts';
import { statusName } from '../spec/status.ts';
import { COST } from './costs.ts';
import { HardwareException, MachineCheck } from './exceptions.ts';
import type { LogicalProcessor } from './logical-processor.ts';
import { contains, type Range } from './memory-map.ts';
import { GPR } from './registers.ts';
import type { Software } from './software.ts';

/** What runs in SEAM root mode. Registers in and out are the LP's. */
export interface SeamSoftware {
  /** One call, from entry to SEAMRET. */
  call(lp: LogicalProcessor): Software;
}

const SEAMLDR_BIT = 1n << 63n;

/**
 * The CPU's side of SEAM: the range, who is loaded behind it, and the SEAMCALL instruction.
 * Firmware installs P-SEAMLDR and the module; nothing else can reach them.
 */
export class SeamPort {
  /** Set by firmware when SEAMRR is configured and locked. */
  range: Range | null = null;
  seamldr: SeamSoftware | null = null;
  module: SeamSoftware | null = null;
  /** The machine check that shut SEAM down, if any: module and P-SEAMLDR count as not loaded until platform reset. */
  shutdownBy: MachineCheck | null = null;
  /** The LP that never returned from its SEAMCALL. */
  lostLp: LogicalProcessor | null = null;
  /** Calls by leaf name. */
  readonly calls = new Map<string, number>();

  covers(pa: number): boolean {
    return this.range !== null && contains(this.range, pa);
  }

  /** SEAMCALL: exceptions in the order of the instruction's definition, then VMfailInvalid, then the call. */
  *seamcall(lp: LogicalProcessor): Software {
    if (!lp.vmxOn) throw new HardwareException('#UD', 'SEAMCALL outside VMX operation');
    if (lp.mode === 'seam') throw new HardwareException('#UD', 'SEAMCALL in SEAM');
    if (lp.cpl > 0) throw new HardwareException('#GP', 'SEAMCALL at CPL > 0');
    if (!this.range) throw new HardwareException('#GP', 'SEAMCALL without SEAMRR');
    const leaf = lp.gpr[GPR.RAX]!;
    const target = (leaf & SEAMLDR_BIT) !== 0n ? this.seamldr : this.module;
    const name = seamcallName(leaf);
    const event = lp.beginEvent('seamcall', name, operands(lp));
    this.calls.set(name, (this.calls.get(name) ?? 0) + 1);
    yield 'seamcall-enter';
    if (!target || this.shutdownBy) {
      lp.carry = true;
      lp.endEvent(event, 'VMfailInvalid');
      return;
    }
    lp.spend(COST.seamTransition);
    lp.mode = 'seam';
    try {
      yield* target.call(lp);
    } catch (exception) {
      if (!(exception instanceof MachineCheck)) throw exception;
      yield* this.#unbreakableShutdown(lp, exception);
    }
    lp.mode = 'root';
    lp.carry = false;
    lp.spend(COST.seamTransition);
    lp.endEvent(event, statusName(lp.gpr[GPR.RAX]!));
    yield 'seamcall-exit';
  }

  /** #MC in SEAM root (Base Specification, machine check handling): this LP never returns, and nobody enters SEAM again. */
  *#unbreakableShutdown(lp: LogicalProcessor, cause: MachineCheck): Software {
    this.shutdownBy = cause;
    this.lostLp = lp;
    lp.beginEvent('exception', '#MC in SEAM root', {
      pa: `0x${cause.pa.toString(16)}`,
      keyId: cause.keyId,
      check: cause.fault.check,
    });
    lp.stopped = 'unbreakable-shutdown';
    yield { what: 'unbreakable shutdown', ready: () => false };
  }
}

const operands = (lp: LogicalProcessor): Readonly<Record<string, string>> => ({
  rcx: `0x${lp.gpr[GPR.RCX]!.toString(16)}`,
  rdx: `0x${lp.gpr[GPR.RDX]!.toString(16)}`,
  r8: `0x${lp.gpr[GPR.R8]!.toString(16)}`,
});
