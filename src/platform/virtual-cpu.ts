import { EXIT_REASON } from '../spec/exits.ts';
import { COST } from './costs.ts';
import type { GuestCpu, GuestHandler, GuestSoftware, InterruptFrame, VcpuState, VmExit } from './guest-cpu.ts';
import type { LogicalProcessor } from './logical-processor.ts';

/** An event that the module injects at VM entry (VM-entry interruption information). */
export interface InjectedEvent {
  readonly vector: number;
  readonly errorCode: number | null;
}

/** The part of a TD's VMCS that the CPU needs while the TD runs. The module builds it from TDCS and TDVPS at every entry. */
export interface TdVmcs {
  /** Physical address of the VMCS page: the vCPU's identity for the CPU. */
  readonly vmcsPa: number;
  readonly keyId: number;
  readonly septRoot: number;
  /** 4 or 5. */
  readonly septLevels: number;
  /** Host-owned EPT for shared GPAs; 0 if the host has set none. */
  readonly sharedEptp: number;
  /** 47 or 51. */
  readonly sharedBit: number;
  /** Physical address of the VE_INFO area the CPU fills for convertible EPT violations. */
  readonly veInfoPa: number;
  /** Event to inject at this entry. */
  readonly inject: InjectedEvent | null;
}

const CR0_PG = 1n << 31n;
const EFER_LME = 1n << 8n;
const EFER_LMA = 1n << 10n;
const VE_VALID = 0xffff_ffff;
const SUPPRESS_VE = 1n << 63n;
export const PRIVATE_SLOT = 0;
export const SHARED_SLOT = 1;

export const vmExit = (reason: number, fields: Partial<VmExit> = {}): VmExit => ({
  reason,
  qualification: 0n,
  gpa: 0n,
  gla: 0n,
  instructionLength: 0,
  instructionInfo: 0,
  interruptionInfo: 0,
  ...fields,
});

/**
 * The guest's processor: what TD software can do. Instructions that leave the TD yield a {@link VmExit}; the module decides what follows
 * and may inject an exception, which runs the guest's handler. Registers are those of the LP it runs on; between entries they live in TDVPS.
 */
export class VirtualCpu implements GuestCpu {
  /** The LP it runs on; set at VM entry. */
  lp!: LogicalProcessor;
  vmcs!: TdVmcs;
  readonly state: VcpuState = { rip: 0n, rflags: 2n, cr0: 0n, cr3: 0n, cr4: 0n, efer: 0n };
  /** The guest's interrupt descriptor table. */
  readonly idt = new Map<number, GuestHandler>();
  /** Set by the CPU when an event is to be delivered before the next instruction. */
  pendingEvent: InjectedEvent | null = null;
  cpl = 0;

  get gpr(): BigUint64Array {
    return this.lp.gpr;
  }

  /** Yields one exit; afterwards delivers what the module injected. True when the instruction's RIP was passed (completed or emulated). */
  *#leave(exit: VmExit): GuestSoftware<boolean> {
    const at = this.state.rip;
    yield exit;
    yield* this.#deliver();
    return this.state.rip !== at;
  }

  *#deliver(): GuestSoftware {
    while (this.pendingEvent) {
      const event = this.pendingEvent;
      this.pendingEvent = null;
      const handler = this.idt.get(event.vector);
      if (!handler) {
        yield vmExit(EXIT_REASON.TRIPLE_FAULT);
        continue;
      }
      const { rip, rflags } = this.state;
      const frame: InterruptFrame = { rip, rflags, cpl: this.cpl, errorCode: event.errorCode ?? 0 };
      this.cpl = 0;
      yield* handler(frame);
      this.cpl = frame.cpl;
      this.state.rip = frame.rip;
      this.state.rflags = frame.rflags;
    }
  }

  /** An instruction that exits until its RIP is passed: retried as the CPU would. `length` is its length in bytes. */
  *#exiting(reason: number, length: number, fields: Partial<VmExit> = {}): GuestSoftware {
    this.lp.spend(COST.guestStep);
    while (!(yield* this.#leave(vmExit(reason, { instructionLength: length, ...fields }))));
  }

  writeCr(register: 'cr0' | 'cr3' | 'cr4', value: bigint): void {
    this.state[register] = value;
    const paging = (this.state.cr0 & CR0_PG) !== 0n;
    if (paging && (this.state.efer & EFER_LME) !== 0n) this.state.efer |= EFER_LMA;
    if (!paging) this.state.efer &= ~EFER_LMA;
  }

  tdcall(): GuestSoftware {
    return this.#exiting(EXIT_REASON.TDCALL, 4);
  }

  cpuid(): GuestSoftware {
    return this.#exiting(EXIT_REASON.CPUID_INSTRUCTION, 2);
  }

  hlt(): GuestSoftware {
    return this.#exiting(EXIT_REASON.HLT_INSTRUCTION, 1);
  }

  wbinvd(): GuestSoftware {
    return this.#exiting(EXIT_REASON.WBINVD_INSTRUCTION, 2);
  }

  rdmsr(): GuestSoftware {
    return this.#exiting(EXIT_REASON.MSR_READ, 2);
  }

  wrmsr(): GuestSoftware {
    return this.#exiting(EXIT_REASON.MSR_WRITE, 2);
  }

  /** OUT or IN between a port and AL, AX or EAX (`size` 1, 2 or 4): the exit qualification of SDM table 28-5. */
  io(direction: 'in' | 'out', port: number, size: 1 | 2 | 4): GuestSoftware {
    const qualification = BigInt(size - 1) | (direction === 'in' ? 8n : 0n) | (BigInt(port) << 16n);
    return this.#exiting(EXIT_REASON.IO_INSTRUCTION, size === 2 ? 2 : 1, { qualification });
  }

  *pause(): GuestSoftware {
    this.lp.spend(COST.guestStep);
    yield 'guest';
    yield* this.#deliver();
  }

  *load(gpa: bigint, length: number, gla = gpa): GuestSoftware<Uint8Array | null> {
    const pa = yield* this.#translate(gpa, gla, false);
    if (pa < 0) return null;
    const { core } = this.lp.platform;
    this.lp.spend(COST.loadLine);
    if (core.load(this.lp.package, pa, length, this.#keyIdOf(gpa)) === 0) return core.mailbox.u8.slice(0, length);
    yield* this.#leave(machineCheckExit());
    return null;
  }

  *store(gpa: bigint, bytes: Uint8Array, gla = gpa): GuestSoftware<boolean> {
    const pa = yield* this.#translate(gpa, gla, true);
    if (pa < 0) return false;
    const { core } = this.lp.platform;
    core.mailbox.u8.set(bytes);
    this.lp.spend(COST.storeLine);
    core.store(this.lp.package, pa, bytes.length, this.#keyIdOf(gpa));
    return true;
  }

  *loadBytes(gpa: bigint, length: number): GuestSoftware<Uint8Array> {
    const out = new Uint8Array(length);
    for (let done = 0; done < length; ) {
      const chunk = Math.min(length - done, bytesToPageEnd(gpa + BigInt(done)));
      const bytes = yield* this.load(gpa + BigInt(done), chunk);
      if (bytes) out.set(bytes, done);
      done += chunk;
    }
    return out;
  }

  *storeBytes(gpa: bigint, bytes: Uint8Array): GuestSoftware {
    for (let done = 0; done < bytes.length; ) {
      const chunk = Math.min(bytes.length - done, bytesToPageEnd(gpa + BigInt(done)));
      yield* this.store(gpa + BigInt(done), bytes.subarray(done, done + chunk));
      done += chunk;
    }
  }

  #isShared(gpa: bigint): boolean {
    return ((gpa >> BigInt(this.vmcs.sharedBit)) & 1n) === 1n;
  }

  #keyIdOf(gpa: bigint): number {
    return this.#isShared(gpa) ? 0 : this.vmcs.keyId;
  }

  /** Host physical address, or -1 when a handler passed the instruction. */
  *#translate(gpa: bigint, gla: bigint, write: boolean): GuestSoftware<number> {
    for (;;) {
      const shared = this.#isShared(gpa);
      const { core } = this.lp.platform;
      const page = Number(gpa & ~0xfffn);
      if (shared && this.vmcs.sharedEptp === 0) {
        if (yield* this.#leave(this.#violation(gpa, gla, write))) return -1;
        continue;
      }
      const result = core.septWalk(this.lp.id, shared ? SHARED_SLOT : PRIVATE_SLOT, this.lp.package, page, write);
      if (result === 0) return core.walkHpa + Number(gpa & 0xfffn);
      if (result === 3) {
        yield* this.#leave(machineCheckExit());
        continue;
      }
      const convertible = shared && result === 1 && (core.walkEntry & SUPPRESS_VE) === 0n;
      const exit = result === 2 ? vmExit(EXIT_REASON.EPT_MISCONFIGURATION, { gpa, gla }) : this.#violation(gpa, gla, write);
      if (convertible && this.#raiseVe(exit)) {
        const at = this.state.rip;
        this.pendingEvent = { vector: 20, errorCode: null };
        yield* this.#deliver();
        if (this.state.rip !== at) return -1;
      } else if (yield* this.#leave(exit)) return -1;
    }
  }

  #violation(gpa: bigint, gla: bigint, write: boolean): VmExit {
    return vmExit(EXIT_REASON.EPT_VIOLATION, { qualification: (write ? 2n : 1n) | 0x80n | 0x100n, gpa, gla });
  }

  /** The CPU's own #VE for a convertible EPT violation: fills VE_INFO unless it is still valid (then it is an ordinary exit). SDM 26.5.7. */
  #raiseVe(exit: VmExit): boolean {
    const { core } = this.lp.platform;
    const { veInfoPa, keyId } = this.vmcs;
    core.load(this.lp.package, veInfoPa, 64, keyId);
    const { u32, u64 } = core.mailbox;
    if (u32[1] !== 0) return false;
    u32[0] = exit.reason;
    u32[1] = VE_VALID;
    u64[1] = exit.qualification;
    u64[2] = exit.gla;
    u64[3] = exit.gpa;
    u64[4] = 0n;
    u32[9] = 0;
    u32[10] = 0;
    core.store(this.lp.package, veInfoPa, 44, keyId);
    return true;
  }
}

const bytesToPageEnd = (gpa: bigint): number => 4096 - Number(gpa & 0xfffn);

const machineCheckExit = (): VmExit => vmExit(EXIT_REASON.EXCEPTION_OR_NMI, { interruptionInfo: 0x8000_0312 });
