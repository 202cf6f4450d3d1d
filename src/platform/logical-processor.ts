import type { DirectStore, Mailbox, Status } from '../../bindings/memory-core.ts';
import { COST } from './costs.ts';
import type { EventFacts, EventKind, MachineEvent } from './events.ts';
import { HardwareException, MachineCheck, PageFault } from './exceptions.ts';
import type { Platform } from './platform.ts';
import type { Software } from './software.ts';

export type LpStop = '' | 'unbreakable-shutdown' | 'nmi-stop' | 'panic';

/** What runs on the LP: host software, the SEAM (P-SEAMLDR or TDX module), or a TD. */
export type LpMode = 'root' | 'seam' | 'td';

/**
 * A logical processor: registers and instructions. Memory instructions take a physical address in bytes and a KeyID;
 * they raise {@link MachineCheck} on poison and #PF(RSVD) for a private KeyID outside SEAM.
 */
export class LogicalProcessor {
  readonly platform: Platform;
  readonly id: number;
  readonly package: number;
  readonly apicId: number;
  /** General-purpose registers, numbered as GPR. */
  readonly gpr = new BigUint64Array(16);
  /** RFLAGS.CF after SEAMCALL: VMfailInvalid. */
  carry = false;
  mode: LpMode = 'root';
  cpl = 0;
  vmxOn = false;
  /** RFLAGS.IF of the host: while clear, interrupts wait (and end a TD's turn as soon as it begins). */
  interruptsEnabled = true;
  /** The OS runs software on it. */
  online = true;
  /** Stopped for good in SEAM root (unbreakable shutdown) or halted by an NMI stop. */
  stopped: LpStop = '';
  /** Virtual time in nanoseconds. */
  now = 0;
  /** Interrupt handlers waiting for this LP to be interruptible, oldest first. */
  readonly pendingInterrupts: (() => Software)[] = [];
  #event: MachineEvent | undefined;

  constructor(platform: Platform, id: number, pkg: number) {
    this.platform = platform;
    this.id = id;
    this.package = pkg;
    this.apicId = id;
  }

  // ---- time and events

  spend(ns: number): void {
    this.now += ns;
  }

  /** The clock is never behind something this LP has seen happen. */
  joinTime(ns: number): void {
    if (ns > this.now) this.now = ns;
  }

  get currentEvent(): number {
    return this.#event?.id ?? 0;
  }

  /** Opens an event: everything the LP does until {@link endEvent} is blamed on it. */
  beginEvent(kind: EventKind, name: string, args?: EventFacts): MachineEvent {
    const event = this.platform.events.begin(this.id, kind, name, this.now, this.currentEvent, args);
    this.#event = event;
    this.platform.core.setEvent(event.id);
    return event;
  }

  endEvent(event: MachineEvent, result = '', outputs?: EventFacts): void {
    this.platform.events.end(event, this.now, result, outputs);
    this.#event = this.platform.events.get(event.parent);
    this.platform.core.setEvent(this.currentEvent);
  }

  /** Runs software inside an event of kind `phase`; `outcome` says in a few words how it ended (a `-E…` name is a failure). */
  *phase<T>(name: string, software: Software<T>, outcome: (value: T) => string = () => ''): Software<T> {
    const event = this.beginEvent('phase', name);
    const value = yield* software;
    this.endEvent(event, outcome(value));
    return value;
  }

  /** Called by the scheduler when this LP takes its turn. */
  resumeEvent(): void {
    this.platform.core.setEvent(this.currentEvent);
  }

  // ---- cached memory

  /** Loads `length` bytes (≤ 64 KiB) into the core's mailbox and returns it. */
  load(pa: number, length: number, keyId = 0): Mailbox {
    this.#checkKeyId(pa, keyId);
    this.now += COST.loadLine;
    this.#consume(this.platform.core.load(this.package, pa, length, keyId));
    const { mailbox } = this.platform.core;
    if (this.#isWatched) this.platform.hostView.see('load', pa, mailbox.u8.subarray(0, length), this);
    return mailbox;
  }

  /** Stores the first `length` bytes of the core's mailbox. */
  store(pa: number, length: number, keyId = 0): void {
    this.#checkKeyId(pa, keyId);
    this.now += COST.storeLine;
    this.#consume(this.platform.core.store(this.package, pa, length, keyId));
  }

  load64(pa: number, keyId = 0): bigint {
    return this.load(pa, 8, keyId).u64[0]!;
  }
  load32(pa: number, keyId = 0): number {
    return this.load(pa, 4, keyId).u32[0]!;
  }
  load16(pa: number, keyId = 0): number {
    return this.load(pa, 2, keyId).u32[0]! & 0xffff;
  }
  load8(pa: number, keyId = 0): number {
    return this.load(pa, 1, keyId).u8[0]!;
  }
  store64(pa: number, value: bigint, keyId = 0): void {
    this.platform.core.mailbox.u64[0] = value;
    this.store(pa, 8, keyId);
  }
  store32(pa: number, value: number, keyId = 0): void {
    this.platform.core.mailbox.u32[0] = value;
    this.store(pa, 4, keyId);
  }
  store16(pa: number, value: number, keyId = 0): void {
    this.platform.core.mailbox.u32[0] = value;
    this.store(pa, 2, keyId);
  }
  store8(pa: number, value: number, keyId = 0): void {
    this.platform.core.mailbox.u32[0] = value;
    this.store(pa, 1, keyId);
  }

  loadBytes(pa: number, length: number, keyId = 0): Uint8Array {
    this.#checkKeyId(pa, keyId);
    this.now += COST.loadLine * Math.ceil(length / 64);
    const out = new Uint8Array(length);
    this.#consume(this.platform.core.read(this.package, pa, keyId, out));
    if (this.#isWatched) this.platform.hostView.see('load', pa, out, this);
    return out;
  }

  storeBytes(pa: number, bytes: Uint8Array, keyId = 0): void {
    this.#checkKeyId(pa, keyId);
    this.now += COST.storeLine * Math.ceil(bytes.length / 64);
    this.#consume(this.platform.core.write(this.package, pa, keyId, bytes));
  }

  /** LOCK CMPXCHG on an aligned 64-bit word: the old value. */
  compareExchange64(pa: number, expected: bigint, desired: bigint, keyId = 0): bigint {
    this.#checkKeyId(pa, keyId);
    this.now += COST.storeLine;
    const old = this.platform.core.exchange64(this.package, pa, keyId, expected, desired);
    if (old === null) throw this.#machineCheck();
    if (this.#isWatched) this.platform.hostView.see('load', pa, new Uint8Array(BigUint64Array.of(old).buffer), this);
    return old;
  }

  /** A load that is never retired: no exception, but its fill and its poison stay. */
  speculate(pa: number, keyId = 0): void {
    this.#checkKeyId(pa, keyId);
    this.platform.core.speculate(this.package, pa, keyId);
  }

  // ---- direct stores and cache control

  /** MOVDIR64B of the mailbox's first 64 bytes. */
  movdir64b(pa: number, keyId = 0): void {
    this.#checkKeyId(pa, keyId);
    this.#checkAligned(pa);
    this.now += COST.movdir64bLine;
    this.platform.core.movdir64b(this.package, pa, keyId);
  }

  /** A loop of MOVDIR64B that writes a repeated 64-bit pattern over `bytes` (a multiple of 64). */
  movdir64bFill(pa: number, bytes: number, keyId = 0, pattern = 0n): void {
    this.#checkKeyId(pa, keyId);
    this.#checkAligned(pa);
    this.now += COST.movdir64bLine * (bytes / 64);
    this.platform.core.movdir64bFill(this.package, pa, bytes / 64, keyId, pattern);
  }

  /** A loop of load and MOVDIR64B over `bytes` (a multiple of 64). */
  movdir64bCopy(target: number, targetKeyId: number, source: number, sourceKeyId: number, bytes: number): void {
    this.#checkKeyId(target, targetKeyId);
    this.#checkKeyId(source, sourceKeyId);
    this.now += (COST.movdir64bLine + COST.loadLine) * (bytes / 64);
    this.#consume(this.platform.core.movdir64bCopy(this.package, target, targetKeyId, source, sourceKeyId, bytes / 64));
  }

  /** MOVNTI or a UC/WC store of the mailbox's first `length` bytes. */
  directStore(kind: Exclude<DirectStore, 'dma'>, pa: number, length: number, keyId = 0): void {
    this.#checkKeyId(pa, keyId);
    this.now += COST.directStore;
    this.#consume(this.platform.core.directStore(kind, this.package, pa, length, keyId));
  }

  clflush(pa: number, bytes: number, keyId = 0): void {
    this.#checkKeyId(pa, keyId);
    const lines = Math.ceil(bytes / 64);
    this.now += COST.clflushLine * lines;
    this.platform.core.clflush(pa, lines, keyId);
  }

  wbinvd(): void {
    this.now += COST.wbinvdBase;
    this.platform.core.wbinvd(this.package);
  }

  wbnoinvd(): void {
    this.now += COST.wbinvdBase;
    this.platform.core.wbnoinvd(this.package);
  }

  // ---- other instructions

  rdmsr(index: number): bigint {
    this.now += COST.rdmsr;
    return this.platform.msrs.read(this, index);
  }

  wrmsr(index: number, value: bigint): void {
    this.now += COST.wrmsr;
    this.platform.msrs.write(this, index, value);
  }

  /** Native CPUID: EAX, EBX, ECX, EDX. */
  cpuid(leaf: number, subleaf = 0): readonly [number, number, number, number] {
    this.now += COST.cpuid;
    return this.platform.cpuid.read(this, leaf, subleaf);
  }

  vmxon(): void {
    if (this.vmxOn) throw new HardwareException('#UD', 'VMXON in VMX operation');
    this.now += COST.vmxon;
    this.vmxOn = true;
  }

  /** An interrupt would be taken now: host software runs with RFLAGS.IF set. */
  get isInterruptible(): boolean {
    return this.mode === 'root' && this.interruptsEnabled;
  }

  /** INVEPT, all contexts: the LP forgets every cached translation of guest-physical addresses. */
  invept(): void {
    this.platform.core.invept(this.id);
  }

  vmxoff(): void {
    if (!this.vmxOn) throw new HardwareException('#UD', 'VMXOFF outside VMX operation');
    this.vmxOn = false;
  }

  /** SEAMCALL with the registers as they are; RFLAGS.CF = VMfailInvalid is {@link carry}. */
  seamcall(): Software {
    return this.platform.seam.seamcall(this);
  }

  /** PCONFIG MKTME_KEY_PROGRAM from outside SEAM: RFLAGS.ZF = 1 and RAX = 3 for a private KeyID. Returns RAX. */
  pconfig(keyId: number, mode: 'random' | 'direct' | 'clear' | 'no-encrypt'): number {
    this.now += COST.pconfig;
    if (keyId === 0 || keyId > this.platform.lastKeyId) return 3;
    if (this.platform.isPrivateKeyId(keyId) && this.mode !== 'seam') return 3;
    this.platform.core.programKey(this.package, keyId, mode);
    return 0;
  }

  get #isWatched(): boolean {
    return this.platform.hostView.watched && this.mode === 'root';
  }

  #checkKeyId(pa: number, keyId: number): void {
    if (keyId >= this.platform.firstPrivateKeyId && this.mode !== 'seam') {
      throw new PageFault(pa, true, `private KeyID ${keyId} outside SEAM`);
    }
    if (this.mode !== 'seam' && this.platform.seam.covers(pa))
      throw new HardwareException('#GP', `0x${pa.toString(16)} is inside SEAMRR`);
  }

  #checkAligned(pa: number): void {
    if (pa % 64 !== 0) throw new HardwareException('#GP', 'MOVDIR64B destination is not 64-byte aligned');
  }

  #consume(status: Status): void {
    if (status !== 0) throw this.#machineCheck();
  }

  #machineCheck(): MachineCheck {
    return new MachineCheck(this.platform.core.fault, this.currentEvent);
  }
}
