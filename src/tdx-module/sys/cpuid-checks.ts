import type { LogicalProcessor } from '../../platform/index.ts';
import { CPUID_LIMIT, type CpuidEntry, type CpuidRegisters, cpuidEntries, cpuidLookup } from '../../spec/cpuid.ts';
import {
  TDX_CPUID_LEAF_1F_FORMAT_UNRECOGNIZED,
  TDX_CPUID_LEAF_NOT_SUPPORTED,
  TDX_INCONSISTENT_CPUID_FIELD,
  TDX_INCORRECT_CPUID_VALUE,
  TDX_INVALID_WBINVD_SCOPE,
} from '../../spec/status.ts';
import type { LeafContext } from '../context.ts';
import { ensure } from '../status.ts';

const MAX_EXTENDED_LEAF = 0x8000_0000;
const CACHE_PARAMETERS = 0x4;
const L3_SUBLEAF = 3;
const PERFMON = 0xa;
const TSC = 0x15;
const TOPOLOGY = 0x1f;
const ADDRESS_SIZES = 0x8000_0008;
const FEATURES = 0x7;
const LA57 = 1 << 16;
const MIN_PERFMON_VERSION = 5;
const MAX_FIXED_COUNTERS = 7;

const zeros: CpuidRegisters = [0, 0, 0, 0];

/** A leaf above the native maximum counts as 0. */
const readNative = (lp: LogicalProcessor, leaf: number, subleaf: number): CpuidRegisters => {
  const [max] = lp.cpuid(leaf >= MAX_EXTENDED_LEAF ? MAX_EXTENDED_LEAF : 0);
  return leaf > max ? zeros : lp.cpuid(leaf, subleaf);
};

const leafId = (leaf: number, subleaf: number | undefined): bigint => BigInt(leaf) | (BigInt(subleaf ?? 0xffff_ffff) << 32n);
const lowHalf = ([eax, ebx]: CpuidRegisters): bigint => BigInt(eax) | (BigInt(ebx) << 32n);
const highHalf = ([, , ecx, edx]: CpuidRegisters): bigint => BigInt(ecx) | (BigInt(edx) << 32n);
const agree = (values: CpuidRegisters, mask: CpuidRegisters, wanted: CpuidRegisters): boolean =>
  values.every((word, i) => ((word ^ wanted[i]!) & mask[i]!) === 0);

const verify = (
  ctx: LeafContext,
  entry: Pick<CpuidEntry, 'leaf' | 'subleaf'>,
  values: CpuidRegisters,
  mask: CpuidRegisters,
  wanted: CpuidRegisters,
): void => {
  if (agree(values, mask, wanted)) return;
  ctx.rcx = leafId(entry.leaf, entry.subleaf);
  ctx.rdx = lowHalf(mask);
  ctx.r8 = highHalf(mask);
  ctx.r9 = lowHalf(wanted);
  ctx.r10 = highHalf(wanted);
  ensure(false, TDX_INCORRECT_CPUID_VALUE);
};

/** TDH.SYS.INIT step 5: maximum leaves, every verified value, then the leaves with rules of their own. Returns the values seen. */
export const enumerateCpuid = (ctx: LeafContext): CpuidRegisters[] => {
  const { lp } = ctx;
  ensure(lp.cpuid(0)[0] >= CPUID_LIMIT.minNativeBaseLeaf, TDX_CPUID_LEAF_NOT_SUPPORTED | BigInt(TOPOLOGY));
  ensure(lp.cpuid(MAX_EXTENDED_LEAF)[0] >= ADDRESS_SIZES, TDX_CPUID_LEAF_NOT_SUPPORTED | BigInt(ADDRESS_SIZES));
  const seen = cpuidEntries().map((entry) => {
    const values = readNative(lp, entry.leaf, entry.subleaf ?? 0);
    verify(ctx, entry, values, entry.verifyMask, entry.verifyValue);
    return values;
  });
  checkPerfmon(ctx, seen[cpuidLookup(PERFMON, 0)]!);
  ensure(seen[cpuidLookup(TSC, 0)]![1] !== 0, TDX_CPUID_LEAF_NOT_SUPPORTED | BigInt(TSC));
  checkLinearAddressWidth(ctx, seen);
  checkTopology(ctx);
  return seen;
};

const checkPerfmon = (ctx: LeafContext, values: CpuidRegisters): void => {
  const version = values[0] & 0xff;
  const fixedCounters = values[3] & 0x1f;
  if (version >= MIN_PERFMON_VERSION && fixedCounters <= MAX_FIXED_COUNTERS) return;
  verify(ctx, { leaf: PERFMON, subleaf: undefined }, values, [0xff, 0, 0, 0x1f], [MIN_PERFMON_VERSION, 0, 0, MAX_FIXED_COUNTERS]);
};

const checkLinearAddressWidth = (ctx: LeafContext, seen: readonly CpuidRegisters[]): void => {
  const width = (seen[cpuidLookup(FEATURES, 0)]![2] & LA57) !== 0 ? 57 : 48;
  verify(
    ctx,
    { leaf: ADDRESS_SIZES, subleaf: undefined },
    seen[cpuidLookup(ADDRESS_SIZES, 0)]!,
    [0xff00, 0, 0, 0],
    [width << 8, 0, 0, 0],
  );
};

/** CPUID 0x1F levels rise up to the package, and a package shares one L3: the scope of WBINVD. */
const checkTopology = (ctx: LeafContext): void => {
  let previous = 0;
  let packageLps = 0;
  for (let subleaf = 0; ; subleaf++) {
    const [, lps, ecx] = ctx.lp.cpuid(TOPOLOGY, subleaf);
    const level = (ecx >> 8) & 0xff;
    if (level === 0) break;
    ensure(level > previous, TDX_CPUID_LEAF_1F_FORMAT_UNRECOGNIZED);
    previous = level;
    packageLps = lps;
  }
  ensure(previous > 0, TDX_CPUID_LEAF_1F_FORMAT_UNRECOGNIZED);
  const l3Lps = ((ctx.lp.cpuid(CACHE_PARAMETERS, L3_SUBLEAF)[0] >> 14) & 0xfff) + 1;
  ensure(l3Lps >= packageLps, TDX_INVALID_WBINVD_SCOPE);
};

/** TDH.SYS.LP.INIT: the bits that must be the same on every LP; else TDX_INCONSISTENT_CPUID_FIELD with RCX, RDX, R8. */
export const compareCpuid = (ctx: LeafContext): void => {
  const recorded = ctx.module.native!.cpuid;
  cpuidEntries().forEach((entry, index) => {
    const values = readNative(ctx.lp, entry.leaf, entry.subleaf ?? 0);
    if (agree(values, entry.verifySame, recorded[index]!)) return;
    ctx.rcx = leafId(entry.leaf, entry.subleaf);
    ctx.rdx = lowHalf(entry.verifySame);
    ctx.r8 = highHalf(entry.verifySame);
    ensure(false, TDX_INCONSISTENT_CPUID_FIELD);
  });
};
