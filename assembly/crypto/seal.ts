/** Encryption with MAC, and what undoes it, of consecutive lines: a tweak serves both. */
import { cryptTweaked, TWEAKS, xtsTweaks } from './aes-xts';
import { lineMacs } from './mac';

const LINE_BYTES: usize = 64;
const tweaks = memory.data(128, 64);

/**
 * Encrypts lines from `src` to `dst` (which may be the same) and writes the 32-bit MAC of each to `macsOut`; the caller keeps the
 * low `macBits` bits.
 */
export function sealLines(
  schedule: usize,
  firstLine: u64,
  lines: u32,
  tdBit: u32,
  macKey: usize,
  src: usize,
  dst: usize,
  macsOut: usize,
): void {
  for (let done: u32 = 0; done < lines; done += TWEAKS) {
    const count = min<u32>(lines - done, TWEAKS);
    const offset = <usize>done * LINE_BYTES;
    xtsTweaks(schedule, firstLine + done, tweaks);
    cryptTweaked(schedule, tweaks, count, src + offset, dst + offset, true);
    lineMacs(dst + offset, tweaks, count, tdBit, macKey, macsOut + ((<usize>done) << 2));
  }
}

/** Decrypts lines from `src` to `dst` (which may be the same) and writes the MAC that each should have to `macsOut`. */
export function openLines(
  schedule: usize,
  firstLine: u64,
  lines: u32,
  tdBit: u32,
  macKey: usize,
  src: usize,
  dst: usize,
  macsOut: usize,
): void {
  for (let done: u32 = 0; done < lines; done += TWEAKS) {
    const count = min<u32>(lines - done, TWEAKS);
    const offset = <usize>done * LINE_BYTES;
    xtsTweaks(schedule, firstLine + done, tweaks);
    lineMacs(src + offset, tweaks, count, tdBit, macKey, macsOut + ((<usize>done) << 2));
    cryptTweaked(schedule, tweaks, count, src + offset, dst + offset, false);
  }
}
