/** The operations of a stress program: the one place that calls the core. Each touches one line, and answers what software would see. */
import { loadSlowly, storeSlowly } from '../access';
import { flip as flipBit } from '../attack';
import { macBits } from '../config';
import { directLine, directPiece, dmaPiece } from '../direct';
import { evictSome } from '../evict';
import { wbinvd as drain, clflush as flushLine } from '../flush';
import { programKey } from '../keys';
import {
  CAUSE_DMA,
  CAUSE_NT_STORE,
  FLIP_DATA,
  FLIP_MAC,
  KEY_MODE_CLEAR,
  KEY_MODE_DIRECT,
  KEY_MODE_NO_ENCRYPT,
  KEY_MODE_RANDOM,
  WALK_ENTRY,
  WALK_HPA,
  WALK_LEVEL,
  WALK_POISON,
} from '../layout';
import { mailbox, walkResult } from '../memory-map';
import { walk as walkSept } from '../sept';
import { invept } from '../sept-cache';
import { range } from './draw';
import { guestPages, keyCount, sharedCount } from './program';
import { answer, answerFault } from './record';

/** Eight words at the mailbox: the drawn one and those that follow it. */
export function putLine(first: u64): void {
  for (let i: usize = 0; i < 8; ++i) store<u64>(mailbox + (i << 3), first + <u64>i);
}

function answerRead(status: i32): void {
  if (status == 0) answer(load<u64>(mailbox));
  else answerFault();
}

/** A load that is no hit. */
export function load_(pkg: u32, pa: u64, keyId: u32): void {
  answerRead(loadSlowly(pkg, pa, 8, keyId, mailbox));
}

/** A store that is no hit. */
export function store_(pkg: u32, pa: u64, keyId: u32, value: u64): void {
  store<u64>(storeSlowly(pkg, pa, keyId), value);
}

export function movdir64b(line: u64, keyId: u32, first: u64): void {
  putLine(first);
  directLine(line, keyId, mailbox);
}

export function movnti(pa: u64, keyId: u32, value: u64): void {
  store<u64>(mailbox, value);
  directPiece(CAUSE_NT_STORE, pa, 8, keyId, mailbox);
}

export function clflush(line: u64, keyId: u32): void {
  flushLine(line, 1, keyId);
}

export function wbinvd(pkg: u32): void {
  drain(pkg);
}

export function evict(pkg: u32): void {
  answer(<u64>evictSome(pkg, 1));
}

/** A device cannot name a private KeyID: what it sends then goes through KeyID 0. */
function deviceKeyId(keyId: u32): u32 {
  return keyId <= sharedCount ? keyId : 0;
}

export function dmaRead(pa: u64, keyId: u32): void {
  answerRead(dmaPiece(pa, 8, deviceKeyId(keyId), mailbox));
}

/** Every second one is a whole line, which is no partial write. */
export function dmaWrite(line: u64, keyId: u32, first: u64, shape: u64): void {
  let length: u64 = 64;
  let offset: u64 = 0;
  if ((shape & 1) == 0) {
    length = 1 + ((((shape >> 1) & 63) * 63) >> 6);
    offset = (((shape >> 7) & 63) * (65 - length)) >> 6;
  }
  putLine(first);
  directPiece(CAUSE_DMA, (line << 6) + offset, <u32>length, deviceKeyId(keyId), mailbox);
}

/** Thirteen times in sixteen a random key. */
export function rekey(pkg: u32, first: u64, choice: u64): void {
  const keyId = 1 + <u32>(((choice >> 48) * <u64>(keyCount - 1)) >> 16);
  const kind = choice & 15;
  let mode = KEY_MODE_RANDOM;
  if (kind == 13) mode = KEY_MODE_DIRECT;
  else if (kind == 14) mode = KEY_MODE_CLEAR;
  else if (kind == 15) mode = KEY_MODE_NO_ENCRYPT;
  // Data key and tweak key; the shorter ones leave the rest of the line unused.
  if (mode == KEY_MODE_DIRECT) putLine(first);
  programKey(pkg, keyId, mode);
}

/** Each package walks as one logical processor, and forgets its translations once in 64 walks. */
export function walk(pkg: u32, page: u64, choice: u64): void {
  if ((choice & 63) == 0) invept(pkg);
  const status = walkSept(pkg, 0, pkg, <f64>(range(page, guestPages) << 12), ((choice >> 6) & 1) != 0);
  answer(load<u64>(walkResult, WALK_ENTRY));
  answer(load<u64>(walkResult, WALK_HPA) | ((<u64>load<u32>(walkResult, WALK_LEVEL)) << 4) | <u64>status);
  if (status == WALK_POISON) answerFault();
}

export function flip(line: u64, which: u64, choice: u64): void {
  const what = <i32>(choice & 3);
  let bit: u64 = 0;
  if (what == FLIP_DATA) bit = which & 511;
  else if (what == FLIP_MAC) bit = ((which & 0xffff) * <u64>macBits) >> 16;
  flipBit(line, what, <u32>bit);
}
