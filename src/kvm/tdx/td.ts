import type { TdxModuleArgs, TdxTd, TdxVp } from '../../linux/index.ts';
import type { PageTable } from '../mmu/ept.ts';
import type { MirrorTable } from '../mmu/mirror.ts';

/** struct kvm_tdx: what KVM keeps of a TD. Everything else is the module's. */
export interface Td {
  state: 'uninitialized' | 'initialized' | 'runnable';
  /** 0 when no KeyID is assigned. */
  hkid: number;
  /** Pages and ids as the SEAMCALL wrappers want them. */
  readonly pages: TdxTd;
  attributes: bigint;
  xfam: bigint;
  tscOffset: bigint;
  tscMultiplier: bigint;
  /** GPA bit that means shared: 2^47 or 2^51; 0 before INIT_VM. */
  sharedBit: number;
  /** Host-side copy of the S-EPT, and the EPT of shared memory; there from INIT_VM on. */
  mirror: MirrorTable | null;
  shared: PageTable | null;
  /** Physical address of the source page while INIT_MEM_REGION adds one; 0 otherwise. */
  pageAddSource: number;
  /** A zap keeps all vCPUs outside the TD so that its retry meets no lock. */
  waitForSeptZap: boolean;
}

/** struct vcpu_tdx. */
export interface TdVcpu {
  state: 'uninitialized' | 'initialized';
  readonly vp: TdxVp;
  /** LP to which the module has the vCPU associated, -1 none. */
  associatedCpu: number;
  /** Page of the posted-interrupt descriptor. */
  postedInterruptDescriptor: number;
  /** TDH.VP.WR has told the module of the shared EPT. */
  sharedEptLoaded: boolean;
  /** RAX of the last TDH.VP.ENTER. */
  vpEnterStatus: bigint;
  /** Registers of the last TD exit, and what the next entry passes in. */
  readonly args: Required<TdxModuleArgs>;
}

export type Register = keyof TdxModuleArgs;

export const noRegisters = (): Required<TdxModuleArgs> => ({
  rcx: 0n,
  rdx: 0n,
  r8: 0n,
  r9: 0n,
  r10: 0n,
  r11: 0n,
  r12: 0n,
  r13: 0n,
  r14: 0n,
  r15: 0n,
  rbx: 0n,
  rdi: 0n,
  rsi: 0n,
});

/** INIT_VM was done and the KeyID is still there. */
export const isInitialized = (td: Td): boolean => td.hkid !== 0;

export const gpaIsPrivate = (td: Td, gpa: number): boolean => td.sharedBit === 0 || Math.floor(gpa / td.sharedBit) % 2 === 0;
