import type { Wait } from './software.ts';

export { VECTOR_NUMBER } from './exceptions.ts';
export { GPR } from './registers.ts';

/** Why a TD stopped running, as the VMCS would tell the module. */
export interface VmExit {
  /** VMX basic exit reason (spec/exits). */
  readonly reason: number;
  readonly qualification: bigint;
  /** Guest physical address with the shared bit, for EPT exits. */
  readonly gpa: bigint;
  /** Guest linear address, for EPT exits. */
  readonly gla: bigint;
  readonly instructionLength: number;
  readonly instructionInfo: number;
  /** VM-exit interruption information; 0 if none. */
  readonly interruptionInfo: number;
}

/** What guest software yields: an exit for the module, a moment where an interrupt may hit it, or an idle wait. */
export type GuestStep = VmExit | 'guest' | Wait;
export type GuestSoftware<T = void> = Generator<GuestStep, T, void>;

/** State that lives in the VMCS guest area: moved to and from TDVPS by the module at every entry and exit. */
export interface VcpuState {
  rip: bigint;
  rflags: bigint;
  cr0: bigint;
  cr3: bigint;
  cr4: bigint;
  efer: bigint;
}

/** What the CPU pushes when it delivers an event; IRET returns to `rip`. A handler that emulated the instruction moves it on. */
export interface InterruptFrame {
  rip: bigint;
  rflags: bigint;
  readonly cpl: number;
  readonly errorCode: number;
}

/** A guest's handler of a vector. General-purpose registers are the interrupted software's: what the handler changes, it gives back. */
export type GuestHandler = (frame: InterruptFrame) => GuestSoftware;

/**
 * What a guest kernel can do with its processor, and all it can reach: instructions, its registers, its memory by guest-physical address
 * (with the shared bit where its page table sets it). A memory instruction that a #VE handler emulated reports that: its RIP is passed.
 */
export interface GuestCpu {
  /** General-purpose registers, numbered as GPR. */
  readonly gpr: BigUint64Array;
  readonly state: VcpuState;
  /** The interrupt descriptor table. */
  readonly idt: Map<number, GuestHandler>;
  cpl: number;
  /** MOV to CR0, CR3 or CR4 of bits that the guest owns. Paging with EFER.LME sets EFER.LMA: 64-bit mode (SDM 10.8.5). */
  writeCr(register: 'cr0' | 'cr3' | 'cr4', value: bigint): void;
  tdcall(): GuestSoftware;
  /** CPUID with EAX and ECX as they are. */
  cpuid(): GuestSoftware;
  hlt(): GuestSoftware;
  wbinvd(): GuestSoftware;
  rdmsr(): GuestSoftware;
  wrmsr(): GuestSoftware;
  /** IN or OUT between a port and AL, AX or EAX. */
  io(direction: 'in' | 'out', port: number, size: 1 | 2 | 4): GuestSoftware;
  /** A moment of ordinary work: interrupts may hit here. */
  pause(): GuestSoftware;
  /** One load inside a page, 1 to 4096 bytes: the bytes, or null when a handler emulated the instruction. */
  load(gpa: bigint, length: number, gla?: bigint): GuestSoftware<Uint8Array | null>;
  /** One store inside a page. False when a handler emulated the instruction. */
  store(gpa: bigint, bytes: Uint8Array, gla?: bigint): GuestSoftware<boolean>;
  /** As many loads or stores as the range has pages. */
  loadBytes(gpa: bigint, length: number): GuestSoftware<Uint8Array>;
  storeBytes(gpa: bigint, bytes: Uint8Array): GuestSoftware;
}
