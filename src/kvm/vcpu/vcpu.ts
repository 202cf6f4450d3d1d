import type { Thread } from '../../linux/index.ts';
import type { Software } from '../../platform/index.ts';
import type { CpuidEntry } from '../../spec/cpuid-entry.ts';
import { Mutex } from '../locks.ts';
import type { TdVcpu } from '../tdx/td.ts';
import type { Vm } from '../vm/vm.ts';

/** Finishes on re-entry what an exit to userspace left open; 1 to go on, else KVM_RUN's result. */
export type Completion = (current: Thread) => Software<number>;

/** struct kvm_vcpu. */
export interface Vcpu {
  readonly vm: Vm;
  readonly id: number;
  /** Position in the VM; 0 is the bootstrap processor. */
  readonly index: number;
  /** vcpu->mutex: held for the length of a vCPU ioctl. */
  readonly mutex: Mutex;
  /** Physical addresses of the three pages that userspace maps: kvm_run, port data, coalesced MMIO ring. */
  readonly runPages: readonly number[];
  /** Page of the structure itself, with the posted-interrupt descriptor. */
  readonly ownPage: number;
  readonly td: TdVcpu | null;
  mpState: number;
  cpuid: readonly CpuidEntry[];
  /** Software copies of the MSRs that KVM emulates. */
  readonly msrs: Map<number, bigint>;
  /** LP on which it was loaded last, -1 before. */
  cpu: number;
  mode: 'outside-guest' | 'in-guest';
  /** KVM_REQ_TLB_FLUSH. */
  flushTlb: boolean;
  complete: Completion | null;
}

export function makeVcpu(
  vm: Vm,
  id: number,
  index: number,
  pages: { runPages: readonly number[]; ownPage: number },
  td: TdVcpu | null,
  mpState: number,
): Vcpu {
  return {
    vm,
    id,
    index,
    ...pages,
    td,
    mpState,
    mutex: new Mutex(`vcpu${id}->mutex`),
    cpuid: [],
    msrs: new Map(),
    cpu: -1,
    mode: 'outside-guest',
    flushTlb: false,
    complete: null,
  };
}
