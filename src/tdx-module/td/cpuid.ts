import {
  CPUID_FMS,
  type CpuidBits,
  type CpuidConfigEntry,
  type CpuidEntry,
  type CpuidRegisters,
  cpuidConfig,
  cpuidEntries,
  cpuidLookup,
} from '../../spec/cpuid.ts';
import { ATTRIBUTES } from '../../spec/layouts.ts';
import type { LeafContext } from '../context.ts';
import type { TdxModule } from '../module.ts';
import { fail, INVALID } from '../status.ts';
import type { TdParams } from './params.ts';
import { hasFaultingComponent, maxXsaveSize } from './xfam.ts';

type Registers = [number, number, number, number];

const VERSION = cpuidLookup(0x1, 0);
const FEATURES = cpuidLookup(0x7, 0);
const ADDRESS_SIZES = cpuidLookup(0x8000_0008, 0);
const XSAVE = cpuidLookup(0xd, 0);
const XSAVE_FEATURES = cpuidLookup(0xd, 1);
const TSC = cpuidLookup(0x15, 0);
const EBX = 1;
const ECX = 2;
const HLE = 1 << 4;
const RTM = 1 << 11;
const LA57 = 1 << 16;
const MONITOR = 1 << 3;
const XFD = 1 << 4;
const STEPPING = 0xf;

/** The virtual CPUID of one TD, by lookup index; null where the leaf is a #VE. */
export interface TdCpuid {
  readonly values: readonly (CpuidRegisters | null)[];
  readonly hasTsx: boolean;
}

/** TDH.MNG.INIT's CPUID pipeline (cpuid.json, mngInitPipeline): entries in lookup order, the first error wins. */
export const buildTdCpuid = (ctx: LeafContext, params: TdParams): TdCpuid => {
  const values: (Registers | null)[] = [];
  for (const [index, entry] of cpuidEntries().entries())
    values.push(entry.causesVe ? null : buildEntry(ctx, params, entry, index, values));
  return { values, hasTsx: (values[FEATURES]![EBX] & HLE) !== 0 };
};

/** HLE and RTM go together; RCX does not name the leaf in this case (cpuid.json). */
const checkTsx = (values: Registers): void => {
  if (((values[EBX] & HLE) !== 0) !== ((values[EBX] & RTM) !== 0)) fail(INVALID.CPUID_CONFIG);
};

const buildEntry = (
  ctx: LeafContext,
  params: TdParams,
  entry: CpuidEntry,
  index: number,
  earlier: readonly (Registers | null)[],
): Registers => {
  const values = [...ctx.module.native!.tdCpuid[index]!] as Registers;
  const position = cpuidConfig().findIndex(({ lookupIndex }) => lookupIndex === index);
  if (position >= 0) configure(ctx, params, entry, values, cpuidConfig()[position]!, params.cpuidConfig(position));
  if (index === FEATURES) checkTsx(values);
  for (const bits of entry.bits) applyBits(values, bits, params);
  calculate(ctx.module, params, index, values, earlier);
  if (!wholeLeafIsThere(entry, params, earlier)) values.fill(0);
  return values;
};

/** RCX names the entry that the host may not set so. */
const refuse = (ctx: LeafContext, { leaf, subleaf }: CpuidEntry): never => {
  ctx.rcx = BigInt(leaf) | (BigInt(subleaf ?? 0xffff_ffff) << 32n);
  return fail(INVALID.CPUID_CONFIG);
};

const configure = (
  ctx: LeafContext,
  params: TdParams,
  entry: CpuidEntry,
  values: Registers,
  config: CpuidConfigEntry,
  input: CpuidRegisters,
): void => {
  const { configDirect, allowDirect } = config;
  if (input.some((word, i) => (word & ~(configDirect[i]! | allowDirect[i]!)) !== 0)) refuse(ctx, entry);
  for (let i = 0; i < values.length; i++) {
    const direct = configDirect[i]!;
    const allow = allowDirect[i]!;
    values[i] = (((values[i]! & ~direct) | (input[i]! & direct)) & ~(allow & ~input[i]!)) >>> 0;
  }
  if (config.lookupIndex === VERSION) values[0] = familyModelStepping(ctx, params, entry, input[0]);
};

/** 0 means the platform's; a migratable TD may also be told that it runs on an older part. */
const familyModelStepping = (ctx: LeafContext, { attributes }: TdParams, entry: CpuidEntry, input: number): number => {
  const native = ctx.module.native!.cpuid[VERSION]![0];
  if (input === 0 || input === native) return native;
  const isMigratable = (attributes & ATTRIBUTES.MIGRATABLE) !== 0n;
  const platform = CPUID_FMS.findIndex(([, raw]) => raw === (native & ~STEPPING));
  const wanted = CPUID_FMS.findIndex(([, raw]) => raw === (input & ~STEPPING));
  const isKnown = isMigratable && platform >= 0 && wanted >= platform;
  const highest = wanted === platform ? native & STEPPING : (CPUID_FMS[wanted]?.[2] ?? 0);
  return isKnown && (input & STEPPING) <= highest ? input : refuse(ctx, entry);
};

const maskOf = ({ high, low }: CpuidBits): number => (high - low === 31 ? 0xffff_ffff : ((1 << (high - low + 1)) - 1) << low);

const hasAll = (xfam: bigint, bits: readonly string[]): boolean => bits.every((bit) => ((xfam >> BigInt(bit)) & 1n) === 1n);

/** Bits that depend on XFAM or ATTRIBUTES; `calculated` and `dynamic` ones are done elsewhere. */
const applyBits = (values: Registers, bits: CpuidBits, { xfam, attributes }: TdParams): void => {
  const mask = maskOf(bits);
  if (bits.kind === 'xfam' && !hasAll(xfam, bits.dependsOn.split(',')))
    values[bits.register] = (values[bits.register] & ~mask) >>> 0;
  if (bits.kind === 'attributes') {
    const isOn = (attributes & ATTRIBUTES.PKS) !== 0n;
    values[bits.register] = ((values[bits.register] & ~mask) | (isOn ? mask : 0)) >>> 0;
  }
};

const XCR0_BITS = 0x602ffn;
const XSS_BITS = 0x1fd00n;
const LOW32 = 0xffff_ffffn;

type Calculation = (module: TdxModule, params: TdParams, values: Registers, earlier: readonly (Registers | null)[]) => void;

/** Values that TDH.MNG.INIT computes, by lookup index. */
const CALCULATIONS: ReadonlyMap<number, Calculation> = new Map([
  [
    ADDRESS_SIZES,
    (_module, _params, values, earlier) => {
      const width = (earlier[FEATURES]![ECX] & LA57) !== 0 ? 57 : 48;
      values[0] = (values[0] & ~0xff00) | (width << 8);
    },
  ],
  [
    XSAVE,
    (module, { xfam }, values) => {
      values[0] = Number(xfam & XCR0_BITS & LOW32);
      values[ECX] = maxXsaveSize(module, xfam);
    },
  ],
  [
    XSAVE_FEATURES,
    (module, { xfam }, values) => {
      if (!hasFaultingComponent(module, xfam)) values[0] &= ~XFD;
      values[ECX] = Number(xfam & XSS_BITS);
    },
  ],
  [
    TSC,
    (_module, { tscFrequency }, values) => {
      values[EBX] = tscFrequency;
    },
  ],
]);

const calculate = (
  module: TdxModule,
  params: TdParams,
  index: number,
  values: Registers,
  earlier: readonly (Registers | null)[],
): void => CALCULATIONS.get(index)?.(module, params, values, earlier);

/** Rules over a whole leaf: XFAM bits that must all be on, ATTRIBUTES.PERFMON, the virtual MONITOR bit, or never. */
const wholeLeafIsThere = (
  { rule }: CpuidEntry,
  { xfam, attributes }: TdParams,
  earlier: readonly (Registers | null)[],
): boolean => {
  if (rule === undefined) return true;
  if (rule.includes('always 0')) return false;
  if (rule.includes('PERFMON')) return (attributes & ATTRIBUTES.PERFMON) !== 0n;
  if (rule.includes('MONITOR')) return (earlier[VERSION]![ECX] & MONITOR) !== 0;
  return hasAll(
    xfam,
    [...rule.matchAll(/XFAM\[(\d+)\]/g)].map((match) => match[1]!),
  );
};
