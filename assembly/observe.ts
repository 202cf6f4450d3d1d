/** Makes ciphertext and MACs real: where a value that depends on them is about to leave the core. */

import { macBits, macMask, tdBitOn } from './config';
import { count } from './counters';
import { xtsDecryptLine, xtsEncryptLine, xtsTweak } from './crypto/aes-xts';
import { lineMac } from './crypto/mac';
import { cryptWithMacs } from './crypto/seal';
import { isPlain, sameKey, storesMac } from './keys';
import { copyLine } from './lines';
import { storedMac } from './macs';
import { cipherLine, macKey, ownTweak, readerTweak } from './memory-map';
import { readStored } from './page';
import { scheduleOf } from './schedules';
import { COUNTER_CRYPTO_BLOCKS, COUNTER_MACS_COMPUTED } from './spec/counters';
import { INSTANCE, STORED, TD } from './tags';

const sealedMac = memory.data(4, 4);

export function encrypt(instance: u32, line: u64, from: usize, to: usize): void {
  if (isPlain(instance)) {
    if (from != to) copyLine(to, from);
    return;
  }
  count(COUNTER_CRYPTO_BLOCKS, 4);
  xtsEncryptLine(scheduleOf(instance), line, from, to);
}

/** Ciphertext to `to`; returns the MAC that lies beside it. Together they take one tweak. */
export function seal(instance: u32, line: u64, td: bool, from: usize, to: usize): u32 {
  if (isPlain(instance) || !storesMac(instance)) {
    encrypt(instance, line, from, to);
    return storesMac(instance) ? macOf(to, instance, line, td, ownTweak) : 0;
  }
  count(COUNTER_CRYPTO_BLOCKS, 4);
  count(COUNTER_MACS_COMPUTED);
  cryptWithMacs(scheduleOf(instance), line, 1, td ? 1 : 0, macKey, from, to, sealedMac, true);
  return load<u32>(sealedMac) & macMask;
}

export function decrypt(instance: u32, line: u64, from: usize, to: usize): void {
  if (isPlain(instance)) {
    if (from != to) copyLine(to, from);
    return;
  }
  count(COUNTER_CRYPTO_BLOCKS, 4);
  xtsDecryptLine(scheduleOf(instance), line, from, to);
}

function macOf(ciphertext: usize, instance: u32, line: u64, td: bool, tweak: usize): u32 {
  count(COUNTER_MACS_COMPUTED);
  if (isPlain(instance)) memory.fill(tweak, 0, 16);
  else xtsTweak(scheduleOf(instance), line, tweak);
  return lineMac(ciphertext, tweak, td ? 1 : 0, macKey) & macMask;
}

/** Bytes on the bus. */
export function ciphertextOf(desc: usize, index: u32, line: u64, tag: u32, to: usize): void {
  readStored(desc, index, to);
  if ((tag & STORED) == 0) encrypt(tag & INSTANCE, line, to, to);
}

/** MAC that lies beside the line's ciphertext. */
export function macBeside(ciphertext: usize, line: u64, tag: u32): u32 {
  if ((tag & STORED) != 0) return storedMac(line);
  if (!storesMac(tag & INSTANCE)) return 0;
  return macOf(ciphertext, tag & INSTANCE, line, tdInput(tag), ownTweak);
}

function tdInput(tag: u32): bool {
  return tdBitOn && (tag & TD) != 0;
}

/** Does the stored MAC fit what a reader with key `reader` computes? */
export function macFits(desc: usize, index: u32, line: u64, tag: u32, reader: u32): bool {
  const own = tag & INSTANCE;
  if ((tag & STORED) == 0) {
    const same = sameKey(own, reader);
    if (same && storesMac(own)) return true;
    // docs/memory-law.md: a 28-bit MAC under another key does not match.
    if (!same && macBits == 28) return false;
  }
  ciphertextOf(desc, index, line, tag, cipherLine);
  return macOf(cipherLine, reader, line, tdInput(tag), readerTweak) == macBeside(cipherLine, line, tag);
}

/** The line as a reader with key `reader` decrypts it. */
export function readAs(desc: usize, index: u32, line: u64, tag: u32, reader: u32, to: usize): void {
  readStored(desc, index, to);
  const own = tag & INSTANCE;
  if ((tag & STORED) == 0) {
    if (sameKey(own, reader)) return;
    encrypt(own, line, to, to);
  }
  decrypt(reader, line, to, to);
}
