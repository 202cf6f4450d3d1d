import type { CpuidEntry } from '../spec/cpuid-entry.ts';
import type { KvmKnobs } from './knobs.ts';
import type { Mutex } from './locks.ts';
import type { Vm } from './vm/vm.ts';

/** What TDX brings when it is usable: the limits of the module, already cut to what KVM supports. */
export interface TdxCaps {
  readonly supportedAttrs: bigint;
  readonly supportedXfam: bigint;
  /** Bits that INIT_VM must set. */
  readonly attributesFixed1: bigint;
  readonly xfamFixed1: bigint;
  /** As KVM_TDX_CAPABILITIES reports them, in the module's order. */
  readonly cpuidConfigs: readonly CpuidEntry[];
  readonly maxVcpusPerTd: number;
  /** Control pages a TD and a vCPU need behind their first. */
  readonly tdcsPages: number;
  readonly tdcxPages: number;
}

/** The KVM module, loaded. */
export interface Kvm {
  readonly knobs: KvmKnobs;
  /** null: TDX is off. */
  readonly tdx: TdxCaps | null;
  readonly vms: Set<Vm>;
  /** Serialises what changes the module's KeyID table: MNG.CREATE, and VPFLUSHDONE to FREEID (tdx_lock). */
  readonly tdxLock: Mutex;
  /** Host TSC frequency. */
  readonly tscKhz: number;
}
