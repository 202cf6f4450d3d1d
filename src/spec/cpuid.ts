import { CPUID_BITS, CPUID_CONFIG_ROWS, CPUID_ROWS, CPUID_RULES } from './cpuid-tables.ts';

export { CPUID_FMS, CPUID_LIMIT } from './cpuid-tables.ts';

/** EAX, EBX, ECX, EDX. */
export type CpuidRegisters = readonly [number, number, number, number];

/** A run of bits whose value follows a rule of its own. */
export interface CpuidBits {
  /** Index into {@link CpuidRegisters}. */
  readonly register: 0 | 1 | 2 | 3;
  readonly high: number;
  readonly low: number;
  readonly kind: 'dynamic' | 'calculated' | 'attributes' | 'xfam';
  /** What it depends on, in words; for `xfam` the XFAM bits that must all be 1. */
  readonly dependsOn: string;
}

/** One virtualised leaf; its position in {@link cpuidEntries} is the lookup index. */
export interface CpuidEntry {
  readonly leaf: number;
  /** undefined: every ECX. */
  readonly subleaf: number | undefined;
  readonly causesVe: boolean;
  readonly fixed1: CpuidRegisters;
  readonly fixed0OrDynamic: CpuidRegisters;
  readonly verifyMask: CpuidRegisters;
  readonly verifyValue: CpuidRegisters;
  readonly verifySame: CpuidRegisters;
  readonly bits: readonly CpuidBits[];
  /** A rule over all four registers, in words. */
  readonly rule: string | undefined;
}

/** A leaf that TD_PARAMS.CPUID_CONFIG_VALUES may set. */
export interface CpuidConfigEntry {
  readonly leaf: number;
  readonly subleaf: number | undefined;
  readonly lookupIndex: number;
  /** Bits that become the input. */
  readonly configDirect: CpuidRegisters;
  /** Bits that become native AND input. */
  readonly allowDirect: CpuidRegisters;
}

const zeros: CpuidRegisters = [0, 0, 0, 0];
const registers = (text: string): CpuidRegisters =>
  text.split(',').map((word) => Number.parseInt(word, 16)) as unknown as CpuidRegisters;
const subleafOf = (text: string): number | undefined => (text === '*' ? undefined : Number.parseInt(text, 16));
const registerIndex = { eax: 0, ebx: 1, ecx: 2, edx: 3 } as const;

function bitsByEntry(): ReadonlyMap<number, readonly CpuidBits[]> {
  const map = new Map<number, CpuidBits[]>();
  for (const [index, register, high, low, kind, dependsOn] of CPUID_BITS) {
    const list = map.get(index) ?? [];
    list.push({ register: registerIndex[register], high, low, kind, dependsOn });
    map.set(index, list);
  }
  return map;
}

let entries: readonly CpuidEntry[] | undefined;

/** The 64 leaves of the module's table by lookup index. */
export function cpuidEntries(): readonly CpuidEntry[] {
  if (entries) return entries;
  const bits = bitsByEntry();
  entries = CPUID_ROWS.trim()
    .split('\n')
    .map((line, index) => {
      const [leaf, subleaf, ve, ...masks] = line.split(' ') as [string, string, string, ...string[]];
      const [fixed1 = zeros, fixed0OrDynamic = zeros, verifyMask = zeros, verifyValue = zeros, verifySame = zeros] =
        masks.map(registers);
      return {
        leaf: Number.parseInt(leaf, 16),
        subleaf: subleafOf(subleaf),
        causesVe: ve === 've',
        fixed1,
        fixed0OrDynamic,
        verifyMask,
        verifyValue,
        verifySame,
        bits: bits.get(index) ?? [],
        rule: CPUID_RULES.get(index),
      };
    });
  return entries;
}

let config: readonly CpuidConfigEntry[] | undefined;

/** The configurable leaves in the order of TDSYSINFO_STRUCT and TD_PARAMS. */
export function cpuidConfig(): readonly CpuidConfigEntry[] {
  config ??= CPUID_CONFIG_ROWS.trim()
    .split('\n')
    .map((line) => {
      const [leaf, subleaf, index, direct, allow] = line.split(' ') as [string, string, string, string, string];
      return {
        leaf: Number.parseInt(leaf, 16),
        subleaf: subleafOf(subleaf),
        lookupIndex: Number(index),
        configDirect: registers(direct),
        allowDirect: registers(allow),
      };
    });
  return config;
}

/** The lookup index of a leaf: the first entry with this leaf and subleaf, or with any subleaf; -1 where there is none. */
export const cpuidLookup = (leaf: number, subleaf: number): number =>
  cpuidEntries().findIndex((e) => e.leaf === leaf && (e.subleaf === undefined || e.subleaf === subleaf));
