import type { Cpu } from './cpu.ts';

const ECX = 2;
const EDX = 3;

/** CPUID leaf, register and bit of the features that TDX needs (SDM volume 2, CPUID). */
const FEATURES = {
  XSAVE: { leaf: 1, register: ECX, bit: 26 },
  SELFSNOOP: { leaf: 1, register: EDX, bit: 27 },
  MOVDIR64B: { leaf: 7, register: ECX, bit: 28 },
} as const;

export type Feature = keyof typeof FEATURES;

export const cpu_feature_enabled = (cpu: Cpu, feature: Feature): boolean => {
  const { leaf, register, bit } = FEATURES[feature];
  return ((cpu.lp.cpuid(leaf)[register] >>> bit) & 1) === 1;
};

/** Sapphire Rapids-X and Emerald Rapids-X: models whose partial writes hurt. */
const PW_MCE_MODELS: readonly number[] = [0x8f, 0xcf];

const model = (signature: number): number => (((signature >>> 16) & 0xf) << 4) | ((signature >>> 4) & 0xf);

/** X86_BUG_TDX_PW_MCE as Linux decides it: by the model in CPUID(1).EAX. */
export const bootCpuHasPartialWriteBug = (cpu: Cpu): boolean => PW_MCE_MODELS.includes(model(cpu.lp.cpuid(1)[0]));
