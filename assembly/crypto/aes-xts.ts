/** AES-XTS (IEEE 1619) on 64-byte lines: one data unit a line, its number is the line number. Eight blocks, two lines, a pass. */
import { roundsOf, tweakKeys } from './aes-key';
import { decryptPlanes, encryptPlanes } from './aes-rounds';
import { PLANES_BYTES, transposeBits } from './planes';

export { expandKey, XTS_SCHEDULE_BYTES } from './aes-key';

const BLOCK_BYTES: usize = 16;
const LINE_BYTES: usize = 64;
/** Tweaks that one pass makes. */
export const TWEAKS: u32 = 8;

const planes = memory.data(128, 64);
const tweakBlocks = memory.data(128, 64);
const blocks = memory.data(128, 64);
/** What is added to the blocks of a pass before and after the cipher. */
const whitening = memory.data(128, 64);

/** Writes T0 = AES(tweak key, line number) of TWEAKS lines from `firstLine` on, 16 bytes each, to `tweaksOut`. */
export function xtsTweaks(schedule: usize, firstLine: u64, tweaksOut: usize): void {
  for (let i: usize = 0; i < PLANES_BYTES; i += BLOCK_BYTES) {
    v128.store(tweaksOut + i, i64x2.replace_lane(i64x2.splat(0), 0, firstLine++));
  }
  transposeBits(tweaksOut, planes);
  encryptPlanes(planes, tweakKeys(schedule), roundsOf(schedule));
  transposeBits(planes, tweaksOut);
}

/** Writes T0 of one line, 16 bytes, to `tweakOut`. */
export function xtsTweak(schedule: usize, line: u64, tweakOut: usize): void {
  xtsTweaks(schedule, line, tweakBlocks);
  v128.store(tweakOut, v128.load(tweakBlocks));
}

/** The tweak of the next block: doubled in GF(2^128) modulo x^128 + x^7 + x^2 + x + 1. */
function double(tweak: v128): v128 {
  const signs = i32x4.shr_s(tweak, 31);
  const carries = v128.shuffle<u32>(signs, signs, 3, 3, 1, 1);
  return v128.xor(i64x2.add(tweak, tweak), v128.and(carries, i64x2(0x87, 1)));
}

function whitenLine(tweak: v128, to: usize): void {
  v128.store(to, tweak, 0);
  tweak = double(tweak);
  v128.store(to, tweak, 16);
  tweak = double(tweak);
  v128.store(to, tweak, 32);
  v128.store(to, double(tweak), 48);
}

function addWhitening(from: usize, to: usize, bytes: usize): void {
  for (let i: usize = 0; i < bytes; i += BLOCK_BYTES) {
    v128.store(to + i, v128.xor(v128.load(from + i), v128.load(whitening + i)));
  }
}

/** One or two lines with their tweaks at `tweaks`, from `src` to `dst` (which may be the same). */
function cryptPair(schedule: usize, tweaks: usize, lines: u32, src: usize, dst: usize, encrypt: bool): void {
  const bytes = <usize>lines * LINE_BYTES;
  whitenLine(v128.load(tweaks), whitening);
  if (lines == 2) whitenLine(v128.load(tweaks, BLOCK_BYTES), whitening + LINE_BYTES);
  addWhitening(src, blocks, bytes);
  transposeBits(blocks, planes);
  if (encrypt) encryptPlanes(planes, schedule, roundsOf(schedule));
  else decryptPlanes(planes, schedule, roundsOf(schedule));
  transposeBits(planes, blocks);
  addWhitening(blocks, dst, bytes);
}

/** Lines whose tweaks lie at `tweaks`: at most TWEAKS. */
export function cryptTweaked(schedule: usize, tweaks: usize, lines: u32, src: usize, dst: usize, encrypt: bool): void {
  for (let i: u32 = 0; i < lines; i += 2) {
    const offset = <usize>i * LINE_BYTES;
    cryptPair(schedule, tweaks + <usize>i * BLOCK_BYTES, min<u32>(lines - i, 2), src + offset, dst + offset, encrypt);
  }
}

function cryptLine(schedule: usize, line: u64, src: usize, dst: usize, encrypt: bool): void {
  xtsTweaks(schedule, line, tweakBlocks);
  cryptPair(schedule, tweakBlocks, 1, src, dst, encrypt);
}

/** Encrypts 64 bytes from `src` to `dst` (which may be the same) as data unit `line`. */
export function xtsEncryptLine(schedule: usize, line: u64, src: usize, dst: usize): void {
  cryptLine(schedule, line, src, dst, true);
}

/** Decrypts 64 bytes from `src` to `dst` (which may be the same) as data unit `line`. */
export function xtsDecryptLine(schedule: usize, line: u64, src: usize, dst: usize): void {
  cryptLine(schedule, line, src, dst, false);
}
