/** The physical attacker: reads and changes DRAM lines behind the controller's back. Lines come and go in the probe record. */
import { tdBitOn } from './config';
import { storesMac } from './keys';
import {
  FLIP_DATA,
  FLIP_MAC,
  FLIP_POISON,
  PROBE_DATA,
  PROBE_FLAGS,
  PROBE_LINE,
  PROBE_MAC,
  PROBE_MAC_STORED,
  PROBE_POISON,
  PROBE_TD_BIT,
} from './layout';
import { storedMac, storeMac } from './macs';
import { probe } from './memory-map';
import { ciphertextOf, macBeside } from './observe';
import { forgetPoison } from './origins';
import { lineTag, lineWriter, putStored, setTag } from './page';
import { prepareFrame, resolveFrame } from './pending';
import { FILLED, INSTANCE, POISON, STORED, TAMPERED, TD } from './tags';
import { findDescriptor, pageDescriptor } from './tree';

/** A line without integrity shows no MAC until somebody has tampered with it. */
function showsMac(tag: u32): bool {
  return storesMac(tag & INSTANCE) || (tag & TAMPERED) != 0;
}

export function capture(line: u64): void {
  resolveFrame(line >> 6);
  const desc = findDescriptor(line >> 6);
  const index = <u32>line & 63;
  const tag = lineTag(desc, index);
  ciphertextOf(desc, index, line, tag, probe + PROBE_DATA);
  const shows = showsMac(tag);
  let flags = shows ? PROBE_MAC_STORED : 0;
  if ((tag & TD) != 0) flags |= PROBE_TD_BIT;
  if ((tag & POISON) != 0) flags |= PROBE_POISON;
  store<u64>(probe, line, PROBE_LINE);
  store<u32>(probe, shows ? macBeside(probe + PROBE_DATA, line, tag) : 0, PROBE_MAC);
  store<i32>(probe, flags, PROBE_FLAGS);
}

/** Ciphertext and MAC made real for good; returns the new tag. */
function materialise(line: u64): u32 {
  const desc = pageDescriptor(line >> 6);
  const index = <u32>line & 63;
  const tag = lineTag(desc, index);
  if ((tag & STORED) != 0) return tag;
  ciphertextOf(desc, index, line, tag, probe + PROBE_DATA);
  const mac = macBeside(probe + PROBE_DATA, line, tag);
  putStored(desc, index, probe + PROBE_DATA);
  storeMac(line, mac);
  setTag(desc, index, tag | STORED, lineWriter(desc, index));
  return tag | STORED;
}

function retag(line: u64, tag: u32): void {
  const desc = pageDescriptor(line >> 6);
  const index = <u32>line & 63;
  setTag(desc, index, tag, lineWriter(desc, index));
}

/** Stores the probe record's ciphertext, MAC, TD bit and poison as they are. */
export function replay(line: u64): void {
  prepareFrame(line >> 6);
  const desc = pageDescriptor(line >> 6);
  const index = <u32>line & 63;
  const flags = load<i32>(probe, PROBE_FLAGS);
  let tag = (lineTag(desc, index) & INSTANCE) | STORED | TAMPERED;
  if (tdBitOn && (flags & PROBE_TD_BIT) != 0) tag |= TD;
  if ((flags & PROBE_POISON) != 0) tag |= POISON;
  putStored(desc, index, probe + PROBE_DATA);
  storeMac(line, load<u32>(probe, PROBE_MAC));
  forgetPoison(line);
  setTag(desc, index, tag, lineWriter(desc, index));
}

/** Flips one bit of a DRAM line. */
export function flip(line: u64, what: i32, bit: u32): void {
  prepareFrame(line >> 6);
  if (what == FLIP_POISON) {
    const tag = lineTag(findDescriptor(line >> 6), <u32>line & 63);
    retag(line, (tag ^ POISON) & ~FILLED);
    forgetPoison(line);
    return;
  }
  if (what == FLIP_DATA || what == FLIP_MAC) {
    const tag = materialise(line);
    if (what == FLIP_MAC) storeMac(line, storedMac(line) ^ (1 << bit));
    else flipData(line, bit);
    retag(line, tag | TAMPERED);
  } else if (tdBitOn) {
    // The MAC covers the TD bit, so the stored one must be made real before the bit changes.
    retag(line, materialise(line) ^ TD);
  }
}

function flipData(line: u64, bit: u32): void {
  const desc = pageDescriptor(line >> 6);
  const at = probe + PROBE_DATA;
  const index = <u32>line & 63;
  ciphertextOf(desc, index, line, lineTag(desc, index), at);
  const byte = at + <usize>(bit >> 3);
  store<u8>(byte, <u8>(<u32>load<u8>(byte) ^ ((<u32>1) << (bit & 7))));
  putStored(desc, index, at);
}
