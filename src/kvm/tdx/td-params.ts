import type { Thread } from '../../linux/index.ts';
import { type CpuidEntry, readEntries } from '../../spec/cpuid-entry.ts';
import { EBUSY, EINVAL } from '../../spec/errno.ts';
import { kvm_tdx_init_vm } from '../../spec/kvm-uapi.ts';
import { CONFIG_FLAGS, CPUID_VALUES, TD_PARAMS } from '../../spec/layouts.ts';
import { findEntry, guestPhysicalBits, hasUnsupportedTdBits, PHYSICAL_BITS_LEAF, withGuestPhysicalBits } from '../cpuid.ts';
import { maxVcpus } from '../system/check-extension.ts';
import type { Vm } from '../vm/vm.ts';

/** EPTP_CONTROLS: write-back, and levels - 1 in bits 5:3. */
const eptpControls = (levels: number): bigint => 6n | (BigInt(levels - 1) << 3n);
/** TD_PARAMS counts the TSC frequency in 25 MHz. */
const TSC_UNIT_KHZ = 25_000;

/** TD_PARAMS and what follows from them. */
export interface TdParams {
  readonly bytes: Uint8Array;
  readonly attributes: bigint;
  readonly xfam: bigint;
  readonly is52Bit: boolean;
}

/** setup_tdparams: from struct kvm_tdx_init_vm with its CPUID entries. The module checks the rest. */
export function tdParams(current: Thread, vm: Vm, init: Uint8Array): TdParams | number {
  const tdx = vm.kvm.tdx!;
  const layout = kvm_tdx_init_vm;
  const attributes = layout.attributes.get(init);
  const xfam = layout.xfam.get(init);
  if (vm.createdVcpus > 0) return -EBUSY;
  if ((attributes & ~tdx.supportedAttrs) !== 0n) return -EINVAL;
  if ((xfam & ~tdx.supportedXfam) !== 0n) return -EINVAL;

  const entries = readEntries(init, layout.SIZE, layout.cpuid.nent.get(init));
  const width = findEntry(entries, PHYSICAL_BITS_LEAF, 0);
  const bits = width ? guestPhysicalBits(width.eax) : 0;
  if (bits !== 48 && bits !== 52) return -EINVAL;
  const is52Bit = bits === 52;
  if (is52Bit && vm.kvm.knobs['kvm.ept5'] === 'off') return -EINVAL;

  const bytes = new Uint8Array(TD_PARAMS.SIZE);
  if (!setCpuid(bytes, tdx.cpuidConfigs, entries)) return -EINVAL;
  TD_PARAMS.ATTRIBUTES.set(bytes, attributes | tdx.attributesFixed1);
  TD_PARAMS.XFAM.set(bytes, xfam | tdx.xfamFixed1);
  TD_PARAMS.MAX_VCPUS.set(bytes, maxVcpus(current, vm));
  TD_PARAMS.EPTP_CONTROLS.set(bytes, eptpControls(is52Bit ? 5 : 4));
  TD_PARAMS.CONFIG_FLAGS.set(bytes, CONFIG_FLAGS.NO_RBP_MOD | (is52Bit ? CONFIG_FLAGS.GPAW : 0n));
  TD_PARAMS.TSC_FREQUENCY.set(bytes, Math.floor(vm.tscKhz / TSC_UNIT_KHZ));
  TD_PARAMS.MRCONFIGID.set(bytes, layout.mrconfigid.get(init));
  TD_PARAMS.MROWNER.set(bytes, layout.mrowner.get(init));
  TD_PARAMS.MROWNERCONFIG.set(bytes, layout.mrownerconfig.get(init));
  return { bytes, attributes: attributes | tdx.attributesFixed1, xfam: xfam | tdx.xfamFixed1, is52Bit };
}

/** setup_tdparams_cpuids: false when an entry asks for what KVM refuses, or is not configurable. */
function setCpuid(bytes: Uint8Array, configs: readonly CpuidEntry[], entries: readonly CpuidEntry[]): boolean {
  let copied = 0;
  for (const [i, config] of configs.entries()) {
    const entry = findEntry(entries, config.function, config.index);
    if (!entry) continue;
    if (hasUnsupportedTdBits(entry)) return false;
    copied++;
    const eax = config.function === PHYSICAL_BITS_LEAF ? withGuestPhysicalBits(entry.eax, 0) : entry.eax;
    const at = TD_PARAMS.CPUID_CONFIG_VALUES.at(i);
    CPUID_VALUES.EAX.set(bytes, eax, at);
    CPUID_VALUES.EBX.set(bytes, entry.ebx, at);
    CPUID_VALUES.ECX.set(bytes, entry.ecx, at);
    CPUID_VALUES.EDX.set(bytes, entry.edx, at);
  }
  return copied === entries.length;
}
