/** The line crypto by itself, on keys and data that the caller gives. */
import { expandKey, XTS_SCHEDULE_BYTES } from './crypto/aes-xts';
import { cryptWithMacs } from './crypto/seal';
import { CRYPTO_KEYS, CRYPTO_LINES, CRYPTO_MAC_KEY, CRYPTO_SEAL, CRYPTO_TD_BIT } from './layout';

const KEY_BYTES: usize = 64;

/** The schedule of the keys used last. */
const schedule = memory.data(<i32>XTS_SCHEDULE_BYTES, 64);
const keysUsed = memory.data(64, 16);
let bitsUsed: u32 = 0;

function scheduleOfKeys(keys: usize, aesBits: u32): usize {
  if (aesBits != bitsUsed || memory.compare(keys, keysUsed, KEY_BYTES) != 0) {
    expandKey(keys, aesBits, schedule);
    memory.copy(keysUsed, keys, KEY_BYTES);
    bitsUsed = aesBits;
  }
  return schedule;
}

/** Seals or opens, in place, the lines of a mailbox laid out as CRYPTO_* say. */
export function cryptoLines(op: i32, aesBits: u32, firstLine: u64, lines: u32, mailbox: usize): void {
  const keys = scheduleOfKeys(mailbox + CRYPTO_KEYS, aesBits);
  const macKey = mailbox + CRYPTO_MAC_KEY;
  const tdBit = load<u32>(mailbox, CRYPTO_TD_BIT);
  const data = mailbox + CRYPTO_LINES;
  const macs = data + ((<usize>lines) << 6);
  cryptWithMacs(keys, firstLine, lines, tdBit, macKey, data, data, macs, op == CRYPTO_SEAL);
}
