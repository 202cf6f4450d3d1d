import type { LogicalProcessor, Platform, SeamSoftware, Software, SysInfoTable } from '../platform/index.ts';
import { type KnobValue, readKnobs } from '../spec/knob.ts';
import { SYS_STATE } from '../spec/states.ts';
import { dispatch } from './dispatch.ts';
import { Entropy } from './entropy.ts';
import { LeafFaults } from './faults.ts';
import { type ModuleKnobs, moduleKnobs } from './knobs.ts';
import { KeyOwnershipTable } from './kot.ts';
import { GlobalSharex } from './lock/sharex.ts';
import type { TdmrEntry } from './pamt/tdmr.ts';
import type { NativeState } from './sys/native-state.ts';

/** How the physical address splits into address and KeyID; read from the TME and partitioning MSRs by TDH.SYS.INIT. */
export interface KeyIdLayout {
  /** First KeyID bit of a physical address. */
  readonly shift: number;
  readonly firstPrivate: number;
  readonly lastPrivate: number;
}

/** An interrupted TDH.PHYMEM.CACHE.WB of one package. */
export interface CacheWriteBack {
  /** Next cache sub-block. */
  block: number;
  /** KeyIDs that were FLUSHED when it started. */
  readonly keyIds: readonly number[];
}

/**
 * The TDX module. Everything here lies in the SEAM range, out of everybody's reach, so it may be ordinary fields;
 * what the module keeps outside SEAMRR (PAMT, TDR, TDCS, TDVPS, S-EPT) lives in simulated memory alone.
 */
export class TdxModule implements SeamSoftware {
  readonly platform: Platform;
  readonly sysInfo: SysInfoTable;
  readonly knobs: ModuleKnobs;
  readonly entropy: Entropy;
  /** Fault injection for tests and the lab. */
  readonly faults = new LeafFaults();

  /** {@link SYS_STATE}. */
  state: number = SYS_STATE.SYSINIT_PENDING;
  readonly globalLock = new GlobalSharex();
  /** LPs on which TDH.SYS.LP.INIT succeeded. */
  readonly lpInitDone = new Set<number>();
  /** LPs that are between SEAMCALL and SEAMRET. */
  lpsInside = 0;
  /** What SYS.INIT saw of the CPU, for LP.INIT to compare with; null before. */
  native: NativeState | null = null;
  keyIds: KeyIdLayout = { shift: 52, firstPrivate: 1, lastPrivate: 0 };
  /** The global private KeyID (PAMT, TDR); -1 before TDH.SYS.CONFIG. */
  globalKeyId = -1;
  /** Packages that have the global key, bit = package. */
  packageBitmap = 0n;
  tdmrs: TdmrEntry[] = [];
  readonly kot = new KeyOwnershipTable();
  /** CPU key tables by package: taken while PCONFIG runs. */
  readonly keyTables: readonly GlobalSharex[];
  /** Write-back tables by package: mutex and saved interruption point. */
  readonly writeBackLocks: readonly GlobalSharex[];
  readonly writeBacks: (CacheWriteBack | null)[];
  /** TDVPR of the VCPU that ran last on an LP, by LP: another one must not find its translations. */
  readonly lastVcpu = new Map<number, number>();

  /** `knobs` is the full vector; names of other layers are ignored. */
  constructor(platform: Platform, sysInfo: SysInfoTable, knobs: Readonly<Record<string, KnobValue>> = {}) {
    this.platform = platform;
    this.sysInfo = sysInfo;
    this.knobs = readKnobs(moduleKnobs, knobs);
    this.entropy = new Entropy(platform.random('module'));
    this.keyTables = Array.from({ length: sysInfo.totalPackages }, () => new GlobalSharex());
    this.writeBackLocks = Array.from({ length: sysInfo.totalPackages }, () => new GlobalSharex());
    this.writeBacks = Array.from({ length: sysInfo.totalPackages }, () => null);
  }

  call(lp: LogicalProcessor): Software {
    return dispatch(this, lp);
  }

  isPrivateKeyId(keyId: number): boolean {
    return keyId >= this.keyIds.firstPrivate && keyId <= this.keyIds.lastPrivate;
  }
}
