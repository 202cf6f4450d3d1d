import { EXIT_REASON } from '../spec/exits.ts';
import { HardwareException } from './exceptions.ts';
import type { GuestSoftware, VmExit } from './guest-cpu.ts';
import type { LogicalProcessor } from './logical-processor.ts';
import type { Wait } from './software.ts';
import { PRIVATE_SLOT, SHARED_SLOT, type TdVmcs, VirtualCpu, vmExit } from './virtual-cpu.ts';

/** VM entry and exit: which software a vCPU runs, and the loop that runs it until it exits. */
export class Vmx {
  readonly #vcpus = new Map<number, { vcpu: VirtualCpu; software: GuestSoftware; finished: boolean }>();
  /** Makes the software of a vCPU that enters for the first time; plugged in by the lab. */
  boot: (vcpu: VirtualCpu) => GuestSoftware = () => {
    throw new HardwareException('#UD', 'no guest software is plugged in');
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
      entry = { vcpu, software: this.boot(vcpu), finished: false };
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
    lp.mode = 'td';
    for (;;) {
      // An injected event is delivered before an interrupt can end the run again.
      if (lp.pendingInterrupts.length > 0 && !vcpu.pendingEvent) return leave(lp, vmExit(EXIT_REASON.INTERRUPT, { interruptionInfo: 0x8000_00f2 }));
      const step = entry.software.next();
      if (step.done) return leave(lp, vmExit(EXIT_REASON.TRIPLE_FAULT));
      if (step.value === 'guest') yield 'guest';
      else if ('reason' in step.value) return leave(lp, step.value);
      else yield this.#idle(lp, step.value);
    }
  }

  /** An idle guest ends its wait when an interrupt comes. */
  #idle(lp: LogicalProcessor, wait: Wait): Wait {
    return { what: wait.what, ready: () => lp.pendingInterrupts.length > 0 || wait.ready() };
  }
}

const leave = (lp: LogicalProcessor, exit: VmExit): VmExit => {
  lp.mode = 'seam';
  return exit;
};
