import { EXIT_REASON } from '../spec/exits.ts';
import { tdcallName } from '../spec/leaves.ts';
import { statusName } from '../spec/status.ts';
import type { EventFacts, MachineEvent } from './events.ts';
import type { GuestSoftware, VmExit } from './guest-cpu.ts';
import type { LogicalProcessor } from './logical-processor.ts';
import { GPR } from './registers.ts';
import type { Wait } from './software.ts';
import { PRIVATE_SLOT, SHARED_SLOT, type TdVmcs, VirtualCpu, vmExit } from './virtual-cpu.ts';

/** VM entry and exit: which software a vCPU runs, and the loop that runs it until it exits. */
export class Vmx {
  /** The TDCALL that the module handles on an LP. */
  readonly #tdcalls = new Map<LogicalProcessor, MachineEvent>();
  readonly #vcpus = new Map<number, { vcpu: VirtualCpu; software: GuestSoftware }>();
  /** Makes the software of a vCPU that enters for the first time; plugged in by the lab. */
  boot: (vcpu: VirtualCpu) => GuestSoftware = () => {
    throw new Error('no guest software: set platform.vmx.boot before a TD runs');
  };

  /** The vCPU whose VMCS is at this address was (re-)initialised: it starts afresh at its next entry. */
  clear(vmcsPa: number): void {
    this.#vcpus.delete(vmcsPa);
  }

  /** Makes `vcpu.state` available before entry (the module loads TDVPS into it). */
  vcpu(vmcsPa: number): VirtualCpu {
    let entry = this.#vcpus.get(vmcsPa);
    if (!entry) {
      const vcpu = new VirtualCpu();
      entry = { vcpu, software: this.boot(vcpu) };
      this.#vcpus.set(vmcsPa, entry);
    }
    return entry.vcpu;
  }

  /** Runs the guest on this LP until it exits. The module has loaded registers and `vcpu.state`. Called in SEAM mode by the module alone. */
  *enter(lp: LogicalProcessor, vmcs: TdVmcs): Generator<'guest' | Wait, VmExit, void> {
    const vcpu = this.vcpu(vmcs.vmcsPa);
    const entry = this.#vcpus.get(vmcs.vmcsPa)!;
    vcpu.lp = lp;
    vcpu.vmcs = vmcs;
    vcpu.pendingEvent = vmcs.inject;
    lp.platform.core.septSetRoot(lp.id, PRIVATE_SLOT, vmcs.septRoot, vmcs.keyId, vmcs.septLevels);
    lp.platform.core.septSetRoot(lp.id, SHARED_SLOT, vmcs.sharedEptp, 0, vmcs.septLevels);
    this.#endTdcall(lp, statusName(lp.gpr[GPR.RAX]!));
    const run = lp.beginEvent('td-run', `vCPU 0x${vmcs.vmcsPa.toString(16)}`, identity(vmcs));
    lp.mode = 'td';
    // The module answers many exits itself: a guest that asks again and again must not keep the other LPs from their turn.
    yield 'guest';
    const exit = yield* this.#run(lp, vcpu, entry.software);
    lp.mode = 'seam';
    lp.endEvent(run, EXIT_NAMES.get(exit.reason) ?? `exit ${exit.reason}`);
    if (exit.reason === EXIT_REASON.TDCALL)
      this.#tdcalls.set(lp, lp.beginEvent('tdcall', tdcallName(lp.gpr[GPR.RAX]!), identity(vmcs)));
    return exit;
  }

  /** The CPU leaves SEAM: a TDCALL that the module did not answer on the spot has become a TD exit. */
  leaveSeam(lp: LogicalProcessor): void {
    this.#endTdcall(lp, 'TD exit');
  }

  #endTdcall(lp: LogicalProcessor, result: string): void {
    const event = this.#tdcalls.get(lp);
    if (event) lp.endEvent(event, result);
    this.#tdcalls.delete(lp);
  }

  *#run(lp: LogicalProcessor, vcpu: VirtualCpu, software: GuestSoftware): Generator<'guest' | Wait, VmExit, void> {
    for (;;) {
      // An injected event is delivered before an interrupt can end the run again.
      if (lp.pendingInterrupts.length > 0 && !vcpu.pendingEvent)
        return vmExit(EXIT_REASON.INTERRUPT, { interruptionInfo: 0x8000_00f2 });
      const step = software.next();
      if (step.done) return vmExit(EXIT_REASON.TRIPLE_FAULT);
      if (step.value === 'guest') yield 'guest';
      else if ('reason' in step.value) return step.value;
      else yield this.#idle(lp, step.value);
    }
  }

  /** An idle guest ends its wait when an interrupt comes. */
  #idle(lp: LogicalProcessor, wait: Wait): Wait {
    return { what: wait.what, ready: () => lp.pendingInterrupts.length > 0 || wait.ready() };
  }
}

const EXIT_NAMES: ReadonlyMap<number, string> = new Map(Object.entries(EXIT_REASON).map(([name, reason]) => [reason, name]));

/** Who runs, for the log: the vCPU's VMCS, and what no other TD has at that time. */
const identity = ({ vmcsPa, septRoot, keyId }: TdVmcs): EventFacts => ({
  vcpu: `0x${vmcsPa.toString(16)}`,
  sept: `0x${septRoot.toString(16)}`,
  keyId,
});
