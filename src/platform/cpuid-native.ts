import { type CpuidRegisters, cpuidConfig, cpuidEntries } from '../spec/cpuid.ts';

/** Family, model and stepping as CPUID(1).EAX gives them. */
export const MODEL_SIGNATURE = { SPR: 0x806f8, EMR: 0xc06f2, GNR: 0xa06d0 } as const;

type Patch = readonly [leaf: number, subleaf: number | undefined, values: CpuidRegisters];

const XFAM_USER = 0x602e7;
const XFAM_SUPERVISOR = 0xd900;
const XSAVE_AREA = 0x2b00;

/**
 * What the part has beyond the bits that the TDX module verifies and those that a TD may be given: sizes, counts, frequencies
 * of a Sapphire Rapids (assumed; later parts differ in the signature alone).
 */
const PATCHES: readonly Patch[] = [
  [0x0, undefined, [0x20, 0, 0, 0]],
  [0x4, 0, [0x04004121, 0x02c0003f, 63, 0]],
  [0x4, 1, [0x04004122, 0x01c0003f, 63, 0]],
  [0x4, 2, [0x04004143, 0x03c0003f, 2047, 0]],
  [0x4, 3, [0x041fc163, 0x0380003f, 0xffff, 4]],
  [0x5, undefined, [0x40, 0x40, 3, 0x2020]],
  [0x6, undefined, [0x00df8ff7, 2, 9, 0]],
  [0xa, undefined, [0x08300805, 0, 0xf, 0x00008604]],
  [0xd, 0, [XFAM_USER, XSAVE_AREA, XSAVE_AREA, 0]],
  [0xd, 1, [0x1f, XSAVE_AREA, XFAM_SUPERVISOR | 0x1800, 0]],
  [0xd, 2, [256, 576, 0, 0]],
  [0xd, 5, [64, 1088, 0, 0]],
  [0xd, 6, [512, 1152, 0, 0]],
  [0xd, 7, [1024, 1664, 0, 0]],
  [0xd, 8, [128, 0, 1, 0]],
  [0xd, 9, [8, 2688, 0, 0]],
  [0xd, 11, [16, 0, 1, 0]],
  [0xd, 12, [24, 0, 1, 0]],
  [0xd, 14, [48, 0, 1, 0]],
  [0xd, 15, [808, 0, 1, 0]],
  [0xd, 17, [64, 2752, 2, 0]],
  [0xd, 18, [8192, 2816, 6, 0]],
  [0x14, 0, [1, 0x1cf, 7, 0]],
  [0x14, 1, [0x02490002, 0x003f3fff, 0, 0]],
  [0x15, undefined, [1, 40, 25_000_000, 0]],
  [0x1c, undefined, [0x400000ff, 7, 7, 0]],
  [0x1d, 0, [1, 0, 0, 0]],
  [0x1d, 1, [0x04002000, 0x00080040, 16, 0]],
  [0x1e, undefined, [0, 0x4010, 0, 0]],
  [0x80000000, undefined, [0x80000008, 0, 0, 0]],
  [0x80000006, undefined, [0, 0, 0x08007040, 0]],
  [0x80000008, undefined, [0x3934, 0, 0, 0]],
];

export interface NativeLeaf {
  readonly leaf: number;
  /** undefined: every ECX. */
  readonly subleaf: number | undefined;
  values: CpuidRegisters;
}

const or = (a: CpuidRegisters, b: CpuidRegisters): CpuidRegisters =>
  a.map((word, i) => (word | b[i]!) >>> 0) as unknown as CpuidRegisters;

/** The leaves that do not depend on the LP: the verified value, the bits a TD may be given, and the table above. */
export const nativeLeaves = (): NativeLeaf[] => {
  const config = cpuidConfig();
  const leaves: NativeLeaf[] = cpuidEntries().map((entry, index) => {
    const allowed = config.find(({ lookupIndex }) => lookupIndex === index)?.allowDirect;
    return { leaf: entry.leaf, subleaf: entry.subleaf, values: allowed ? or(entry.verifyValue, allowed) : entry.verifyValue };
  });
  for (const [leaf, subleaf, values] of PATCHES) {
    const found = leaves.find((known) => known.leaf === leaf && known.subleaf === subleaf);
    if (found) found.values = or(found.values, values);
    else leaves.push({ leaf, subleaf, values });
  }
  return leaves;
};
