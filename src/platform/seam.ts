import { seamcallName } from '../spec/leaves.ts';
import { statusName } from '../spec/status.ts';
import { COST } from './costs.ts';
import type { EventFacts } from './events.ts';
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
    const operands = OPERANDS.map(([, register]) => lp.gpr[register]!);
    const event = lp.beginEvent('seamcall', name, inHex(operands));
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
      if (exception instanceof HardwareException && !(exception instanceof MachineCheck))
        throw new Error(`${exception.vector} in SEAM root: ${exception.detail}`);
      if (!(exception instanceof MachineCheck)) throw exception;
      yield* this.#unbreakableShutdown(lp, exception);
    }
    lp.mode = 'root';
    lp.carry = false;
    lp.spend(COST.seamTransition);
    lp.platform.vmx.leaveSeam(lp);
    lp.platform.hostView.seeRegisters(lp);
    lp.endEvent(event, statusName(lp.gpr[GPR.RAX]!), results(lp, operands));
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

/** Registers that SEAMCALL leaves take operands in and give results in, as far as events keep them. */
const OPERANDS = [
  ['rcx', GPR.RCX],
  ['rdx', GPR.RDX],
  ['r8', GPR.R8],
  ['r9', GPR.R9],
] as const;

const inHex = (operands: readonly bigint[]): EventFacts =>
  Object.fromEntries(OPERANDS.map(([name], i) => [name, `0x${operands[i]!.toString(16)}`]));

/** RAX, and the operand registers that are no longer what went in. */
const results = (lp: LogicalProcessor, operands: readonly bigint[]): EventFacts => {
  const outputs: Record<string, string> = { rax: `0x${lp.gpr[GPR.RAX]!.toString(16)}` };
  OPERANDS.forEach(([name, register], i) => {
    if (lp.gpr[register] !== operands[i]) outputs[name] = `0x${lp.gpr[register]!.toString(16)}`;
  });
  return outputs;
};
