import type { Cpu } from '../cpu.ts';
import type { MemblockRegion } from '../mm/memblock.ts';
import type { GuestKeyIdPool } from './keyid-pool.ts';
import type { TdxSysInfo } from './sysinfo.ts';
import type { Tdmr } from './tdmr.ts';

/** The TDX part of the host kernel: what it found at boot and what became of the module. */
export class TdxHost {
  /** X86_FEATURE_TDX_HOST_PLATFORM: BIOS enabled TDX and the kernel may use it. */
  hostPlatform = false;
  /** X86_BUG_TDX_PW_MCE. */
  hasPartialWriteBug = false;
  /** Private KeyIDs of the platform: the first is the module's own, the rest are for TDs. */
  globalKeyId = 0;
  keyIdCount = 0;
  guestKeyIds: GuestKeyIdPool | null = null;
  /** tdx_memlist: memory that every page of the allocator lies in; empty until (and unless) the module is initialised. */
  memlist: readonly MemblockRegion[] = [];
  tdmrs: readonly Tdmr[] = [];
  sysinfo: TdxSysInfo | null = null;
  state: 'uninitialized' | 'initialized' | 'error' = 'uninitialized';
  /** What the attempt to initialise ended with; null: never tried. */
  errno: number | null = null;
  /** TDH.SYS.INIT's errno, once it was called: every later caller gets it. */
  sysInitErrno: number | null = null;
  /** The CPU that calls, or called, TDH.SYS.INIT. */
  sysInitOwner: Cpu | null = null;
  /** Policy v12: PAMTs may be private, and the lists are stable. */
  mayHavePrivateMemory = false;
  /** Pages that the module has (knob kernel.trackPrivatePages); PAMTs are in {@link tdmrs}. */
  privatePages: Set<number> | null = null;

  get initialized(): boolean {
    return this.state === 'initialized';
  }
}
