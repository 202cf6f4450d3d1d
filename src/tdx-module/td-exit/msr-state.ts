import { type U64, u64 } from '../../spec/field.ts';
import { TD_VMCS, TDVPS } from '../../spec/layouts.ts';
import { fieldClass, findMetadata, MD_TD, MD_VP } from '../../spec/metadata.ts';
import { MSR } from '../../spec/msr.ts';

const CLASS_SHIFT = 56n;
const HIGH_RANGE = 0xc000_0000;
const HIGH_RANGE_CODE = 0x2000;
const X2APIC_FIRST = 0x800;
const X2APIC_LAST = 0x83f;
const X2APIC_REGISTER_BYTES = 16;

/** MSRs whose guest value is in the VMCS. */
const IN_VMCS: ReadonlyMap<number, U64> = new Map([
  [MSR.IA32_EFER, TD_VMCS.GUEST_IA32_EFER],
  [MSR.IA32_PAT, TD_VMCS.GUEST_IA32_PAT],
  [MSR.IA32_FS_BASE, TD_VMCS.GUEST_FS_BASE],
  [MSR.IA32_GS_BASE, TD_VMCS.GUEST_GS_BASE],
  [MSR.IA32_DEBUGCTL, TD_VMCS.GUEST_IA32_DEBUGCTL],
]);

/** In a class of MSRs the metadata field code is the MSR's number, folded. */
function byMetadata(context: 'TD' | 'VP', sample: bigint, index: number): U64 | undefined {
  const code = index >= HIGH_RANGE ? HIGH_RANGE_CODE + (index - HIGH_RANGE) : index;
  const found = findMetadata(context, (BigInt(fieldClass(sample)) << CLASS_SHIFT) | BigInt(code));
  return found?.field.offset === undefined ? undefined : u64(found.field.offset + 8 * found.index);
}

/** Where TDVPS keeps the VCPU's value of an MSR that the CPU switches at entry and exit; undefined for the platform's own. */
export const vcpuMsr = (index: number): U64 | undefined => {
  if (index >= X2APIC_FIRST && index <= X2APIC_LAST)
    return u64(TDVPS.VAPIC.offset + (index - X2APIC_FIRST) * X2APIC_REGISTER_BYTES);
  return IN_VMCS.get(index) ?? byMetadata('VP', MD_VP.IA32_STAR, index);
};

/** Where the TDCS keeps the value of an MSR that is the same for all VCPUs of a TD. */
export const tdMsr = (index: number): U64 | undefined => byMetadata('TD', MD_TD.VIRTUAL_IA32_VMX_BASIC, index);
