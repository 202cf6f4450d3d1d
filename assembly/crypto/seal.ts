/** Encryption of consecutive lines together with their MACs, and what undoes it: a tweak serves both. */
import { cryptTweaked, TWEAKS, xtsTweaks } from './aes-xts';
import { lineMacs } from './mac';

const LINE_BYTES: usize = 64;
const tweaks = memory.data(128, 64);

/**
 * Encrypts or decrypts lines from `src` to `dst` (which may be the same) and writes the 32-bit MAC of each to `macsOut`: the one it gets,
 * or the one it should have. A MAC is of ciphertext. The caller keeps the low `macBits` bits.
 */
export function cryptWithMacs(
  schedule: usize,
  firstLine: u64,
  lines: u32,
  tdBit: u32,
  macKey: usize,
  src: usize,
  dst: usize,
  macsOut: usize,
  encrypt: bool,
): void {
  for (let done: u32 = 0; done < lines; done += TWEAKS) {
    const count = min<u32>(lines - done, TWEAKS);
    const offset = <usize>done * LINE_BYTES;
    const macs = macsOut + ((<usize>done) << 2);
    xtsTweaks(schedule, firstLine + done, tweaks);
    if (!encrypt) lineMacs(src + offset, tweaks, count, tdBit, macKey, macs);
    cryptTweaked(schedule, tweaks, count, src + offset, dst + offset, encrypt);
    if (encrypt) lineMacs(dst + offset, tweaks, count, tdBit, macKey, macs);
  }
}
