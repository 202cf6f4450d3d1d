import { copy_from_user, copy_to_user, type Thread, tdh_mng_rd } from '../../linux/index.ts';
import type { Software } from '../../platform/index.ts';
import { type CpuidEntry, writeEntries } from '../../spec/cpuid-entry.ts';
import { E2BIG, EFAULT, EIO } from '../../spec/errno.ts';
import { KVM_CPUID_FLAG_SIGNIFCANT_INDEX, kvm_cpuid2 } from '../../spec/kvm-uapi.ts';
import { MD_TD } from '../../spec/metadata.ts';
import { PHYSICAL_BITS_LEAF, withGuestPhysicalBits } from '../cpuid.ts';
import type { VcpuCommand } from '../vcpu/memory-encrypt-op.ts';
import type { Td } from './td.ts';

/** Leaves and sub-leaves that a metadata field id can name. */
const MAX_LEAF = 0x7f;
const MAX_SUBLEAF = 0x7f;
const NO_SUBLEAF = 0x1fen;
const EXTENDED = 0x8000_0000;
const SHARED_BIT_52 = 2 ** 51;

/** KVM_TDX_GET_CPUID: what the TD sees, as far as the module lets the host read it. */
export const getCpuid: VcpuCommand = function* (current, vcpu, command) {
  const td = vcpu.vm.td!;
  const header = copy_from_user(current, command.data, kvm_cpuid2.SIZE);
  if (!header) return -EFAULT;
  const entries: CpuidEntry[] = [];
  for (const base of [0, EXTENDED]) {
    const first = yield* readLeaf(current, td, base);
    if (first.length === 0) return -EIO;
    entries.push(...first);
    const last = Math.min(first[0]!.eax >>> 0, base + MAX_LEAF);
    for (let leaf = base + 1; leaf <= last; leaf++) entries.push(...(yield* readLeaf(current, td, leaf)));
  }
  const room = kvm_cpuid2.nent.get(header);
  kvm_cpuid2.nent.set(header, entries.length);
  if (copy_to_user(current, command.data, header) < 0) return -EFAULT;
  if (room < entries.length) return -E2BIG;
  return copy_to_user(current, command.data + BigInt(kvm_cpuid2.SIZE), writeEntries(entries));
};

/** A leaf without sub-leaves, or all its sub-leaves. */
function* readLeaf(current: Thread, td: Td, leaf: number): Software<CpuidEntry[]> {
  const whole = yield* readCpuid(current, td, leaf, null);
  if (whole) return [whole];
  const entries: CpuidEntry[] = [];
  for (let index = 0; index <= MAX_SUBLEAF; index++) {
    const entry = yield* readCpuid(current, td, leaf, index);
    if (!entry) break;
    entries.push(entry);
  }
  return entries;
}

/** tdx_read_cpuid: field id bits 16 (extended), 15:9 (leaf), 8:1 (sub-leaf or none), 0 (second half). */
function* readCpuid(current: Thread, td: Td, leaf: number, index: number | null): Software<CpuidEntry | null> {
  const extended = leaf >= EXTENDED ? 1n << 16n : 0n;
  const subleaf = index === null ? NO_SUBLEAF : BigInt(index) << 1n;
  const field = MD_TD.CPUID_VALUES | extended | (BigInt(leaf & MAX_LEAF) << 9n) | subleaf;
  const low = yield* tdh_mng_rd(current.cpu, td.pages, field);
  if (low.status !== 0n) return null;
  const high = yield* tdh_mng_rd(current.cpu, td.pages, field | 1n);
  if (high.status !== 0n) return null;
  const eax = Number(low.data & 0xffff_ffffn);
  return {
    function: leaf,
    index: index ?? 0,
    flags: index === null ? 0 : KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
    eax: leaf === PHYSICAL_BITS_LEAF ? withGuestPhysicalBits(eax, td.sharedBit === SHARED_BIT_52 ? 52 : 48) : eax,
    ebx: Number(low.data >> 32n),
    ecx: Number(high.data & 0xffff_ffffn),
    edx: Number(high.data >> 32n),
  };
}
