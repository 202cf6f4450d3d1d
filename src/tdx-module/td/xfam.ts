import { XFAM, XFAM_FIXED0, XFAM_FIXED1 } from '../../spec/layouts.ts';
import type { TdxModule } from '../module.ts';

const XSAVE_LEAF = 0xd;
/** Bits that live or die together (layouts.md §6). */
const GROUPS: readonly bigint[] = [
  XFAM.AVX512_OPMASK | XFAM.AVX512_ZMM_HI256 | XFAM.AVX512_HI16_ZMM,
  XFAM.CET_U | XFAM.CET_S,
  XFAM.AMX_TILECFG | XFAM.AMX_TILEDATA,
];

const nativeXsave = (module: TdxModule, subleaf: number) => module.native!.cpuidOf(XSAVE_LEAF, subleaf);

/** XCR0 and IA32_XSS bits of the CPU. */
const supported = (module: TdxModule): bigint => {
  const [eax] = nativeXsave(module, 0);
  const [, , ecx] = nativeXsave(module, 1);
  return BigInt(eax) | BigInt(ecx);
};

export const isLegalXfam = (module: TdxModule, xfam: bigint): boolean => {
  const allowed = XFAM_FIXED0 & supported(module);
  const groupsAgree = GROUPS.every((group) => (xfam & group) === 0n || (xfam & group) === group);
  const avx512NeedsAvx = (xfam & XFAM.AVX512_OPMASK) === 0n || (xfam & XFAM.AVX) !== 0n;
  return (xfam & ~allowed) === 0n && (xfam & XFAM_FIXED1) === XFAM_FIXED1 && groupsAgree && avx512NeedsAvx;
};

const LEGACY_AND_HEADER = 576;
const FIRST_EXTENDED = 2;
const LAST_COMPONENT = 18;
const ALIGN_64 = 1 << 1;
/** XFAM bits that XCR0 holds. */
export const XFAM_USER = 0x602ffn;

/** Offsets of the components in the compacted XSAVE buffer of TDVPS, and its size. */
export interface XsaveLayout {
  readonly offsets: readonly number[];
  readonly size: number;
}

/** SDM volume 1, 13.4.3: compacted format. */
export const xsaveLayout = (module: TdxModule, xfam: bigint): XsaveLayout => {
  let end = LEGACY_AND_HEADER;
  const offsets = Array.from({ length: LAST_COMPONENT + 1 }, (_, component) => {
    if (component < FIRST_EXTENDED || (xfam & (1n << BigInt(component))) === 0n) return 0;
    const [bytes, , flags] = nativeXsave(module, component);
    const offset = (flags & ALIGN_64) !== 0 ? Math.ceil(end / 64) * 64 : end;
    end = offset + bytes;
    return offset;
  });
  return { offsets, size: end };
};

/** CPUID(0xD,0).ECX of a TD: the largest XSAVE area, standard format, for the user components in XFAM. */
export const maxXsaveSize = (module: TdxModule, xfam: bigint): number => {
  let size = LEGACY_AND_HEADER;
  for (let component = FIRST_EXTENDED; component <= LAST_COMPONENT; component++) {
    if ((xfam & XFAM_USER & (1n << BigInt(component))) === 0n) continue;
    const [bytes, offset] = nativeXsave(module, component);
    size = Math.max(size, offset + bytes);
  }
  return size;
};

const CAN_FAULT = 1 << 2;

/** Does a component in XFAM support XFD faulting? */
export const hasFaultingComponent = (module: TdxModule, xfam: bigint): boolean => {
  for (let component = FIRST_EXTENDED; component <= LAST_COMPONENT; component++) {
    if ((xfam & (1n << BigInt(component))) !== 0n && (nativeXsave(module, component)[2] & CAN_FAULT) !== 0) return true;
  }
  return false;
};
