/**
 * Keys of (home package, KeyID). Each programming makes a new key *instance*; a line's tag names the instance it was written
 * under, so re-keying is O(1) and old lines still know their key. Instances that no line names are collected.
 */

import { allocate, createSlab, reserve, take, tryReserve } from './arena';
import { markInstances } from './collect';
import { aesBits, hasIntegrity, isPrivate, keyIds, packages, seed, tdBitOn, unprogrammedFault } from './config';
import { deriveKey } from './crypto/key-stream';
import { ABORT_OUT_OF_INSTANCES, KEY_MODE_CLEAR, KEY_MODE_DIRECT, KEY_MODE_NO_ENCRYPT } from './layout';
import { mailbox } from './memory-map';
import { pending, resolveAll, sequence } from './pending';
import { forgetSchedule } from './schedules';
import { TD } from './tags';

/** Instance record. */
const KEY_ID = 0;
const GENERATION = 4;
const KIND = 8;
const STREAM_PACKAGE = 12;
const STREAM_KEY_ID = 16;
const STREAM_GENERATION = 20;
const READY = 24;
const LINK = 28;
const BYTES = 32;
/** While write-backs of before are pending: the KeyID's instance before this one, and the newest WBINVD that it does not concern. */
const PREVIOUS = 96;
const SINCE = 104;
const RECORD: usize = 112;

const KIND_FREE: u32 = 0;
/** Key bytes from the key stream, derived when first needed. */
const KIND_STREAM: u32 = 1;
const KIND_GIVEN: u32 = 2;
const KIND_PLAIN: u32 = 3;
/** Unprogrammed, and accesses through it fault. What a write leaves behind, poisoned zeros, is under KeyID 0's key. */
const KIND_FAULT: u32 = 4;

const CHUNK_SHIFT: u32 = 8;
const MAX_CHUNKS: u32 = 4096;
const CHUNK_MASK: u32 = ((<u32>1) << CHUNK_SHIFT) - 1;
const CHUNK_BYTES: u32 = (<u32>RECORD) << CHUNK_SHIFT;
/** There is no instance 0. */
const MOST_INSTANCES: u32 = (MAX_CHUNKS << CHUNK_SHIFT) - 1;
/** A step makes fewer instances than a chunk has. */
const STEP_CHUNKS: u32 = 1;
const LINKED: u32 = 0x80000000;
const chunks: usize = memory.data(16384, 16);
let chunkSlab: usize = 0;

let instances: u32 = 1;
let live: u32 = 0;
let collectAt: u32 = 2048;
let freeList: u32 = 0;

/** Per (package, KeyID): current instance or 0, generation, how it is programmed (mode + 1, 0 = never), expected tag or 0. */
let current: usize = 0;
let generations: usize = 0;
let programmed: usize = 0;
let expected: usize = 0;

export function initKeys(): void {
  const cells = <usize>(packages * keyIds);
  current = allocate(cells << 2);
  generations = allocate(cells << 2);
  programmed = allocate(cells << 2);
  expected = allocate(cells << 2);
  chunkSlab = createSlab(CHUNK_BYTES, CHUNK_BYTES, STEP_CHUNKS);
}

/** Nothing is programmed but KeyID 0, whose key never changes. Generations go on: a random key of before the reset never comes back. */
export function resetKeys(): void {
  for (let pkg: u32 = 0; pkg < packages; ++pkg) {
    const from = cell(pkg, 0) + 4;
    const bytes = (<usize>(keyIds - 1)) << 2;
    memory.fill(current + from, 0, bytes);
    memory.fill(programmed + from, 0, bytes);
    memory.fill(expected + from, 0, bytes);
  }
}

function cell(pkg: u32, keyId: u32): usize {
  return (<usize>(pkg * keyIds + keyId)) << 2;
}

function record(instance: u32): usize {
  return <usize>load<u32>(chunks + ((<usize>(instance >> CHUNK_SHIFT)) << 2)) + <usize>(instance & CHUNK_MASK) * RECORD;
}

export function instanceKeyId(instance: u32): u32 {
  return load<u32>(record(instance), KEY_ID);
}

export function instanceGeneration(instance: u32): u32 {
  return load<u32>(record(instance), GENERATION);
}

export function isFault(instance: u32): bool {
  return load<u32>(record(instance), KIND) == KIND_FAULT;
}

/** Neither encrypts nor has a tweak. */
export function isPlain(instance: u32): bool {
  return load<u32>(record(instance), KIND) == KIND_PLAIN;
}

/** Does a line written under this instance have a MAC? */
export function storesMac(instance: u32): bool {
  return hasIntegrity(instanceKeyId(instance));
}

/** 64 bytes: data key at +0, tweak key at +32. */
export function keyBytes(instance: u32): usize {
  const at = record(instance);
  if (load<u32>(at, READY) == 0) {
    deriveKey(
      seed,
      load<u32>(at, STREAM_PACKAGE),
      load<u32>(at, STREAM_KEY_ID),
      load<u32>(at, STREAM_GENERATION),
      aesBits,
      at + BYTES,
    );
    store<u32>(at, 1, READY);
  }
  return at + BYTES;
}

/** Two keys with equal bytes are the same key. */
export function sameKey(a: u32, b: u32): bool {
  if (a == b) return true;
  if (isPlain(a) || isPlain(b)) return isPlain(a) && isPlain(b);
  return memory.compare(keyBytes(a), keyBytes(b), 64) == 0;
}

/** The tag that a good line of this KeyID has, when it is known; 0: ask {@link expectedTag}. */
export function knownTag(pkg: u32, keyId: u32): u32 {
  return load<u32>(expected + cell(pkg, keyId));
}

/** The tag that a good line of this KeyID has; 0 when accesses through it fault. */
export function expectedTag(pkg: u32, keyId: u32): u32 {
  const tag = load<u32>(expected + cell(pkg, keyId));
  return tag != 0 ? tag : expectedTagSlow(pkg, keyId);
}

function expectedTagSlow(pkg: u32, keyId: u32): u32 {
  const instance = currentInstance(pkg, keyId);
  if (isFault(instance)) return 0;
  const tag = tagOf(instance, keyId);
  store<u32>(expected + cell(pkg, keyId), tag);
  return tag;
}

/** As {@link expectedTag}; 0 also when there is no room for a new instance. */
export function tryExpectedTag(pkg: u32, keyId: u32): u32 {
  const tag = knownTag(pkg, keyId);
  return tag != 0 || !tryReserve() ? tag : expectedTagSlow(pkg, keyId);
}

/** Tag of a write through a faulting KeyID; its poison comes on top. */
export function faultTag(pkg: u32, keyId: u32): u32 {
  return tagOf(currentInstance(pkg, keyId), keyId);
}

/** The instance that a KeyID had at the WBINVD of this number. */
export function instanceAsOf(pkg: u32, keyId: u32, wbinvd: u64): u32 {
  let instance = currentInstance(pkg, keyId);
  while (load<u64>(record(instance), SINCE) >= wbinvd) instance = load<u32>(record(instance), PREVIOUS);
  return instance;
}

/** The tag that a full-line write through a KeyID leaves under one of its instances, poison not counted. */
export function tagOf(instance: u32, keyId: u32): u32 {
  return tdBitOn && isPrivate(keyId) ? instance | TD : instance;
}

export function currentInstance(pkg: u32, keyId: u32): u32 {
  const at = current + cell(pkg, keyId);
  const instance = load<u32>(at);
  if (instance != 0) return instance;
  const made = makeInstance(pkg, keyId);
  store<u32>(at, made);
  return made;
}

function takeId(): u32 {
  if (freeList != 0) {
    const id = freeList;
    freeList = load<u32>(record(id), LINK);
    return id;
  }
  const chunk = instances >> CHUNK_SHIFT;
  const slot = chunks + ((<usize>chunk) << 2);
  if (load<u32>(slot) == 0) store<u32>(slot, <u32>take(chunkSlab));
  return instances++;
}

/** Every KeyID may come to need an instance before the next programming or reset; a programming itself needs two. */
function isShort(): bool {
  return MOST_INSTANCES - live < packages * keyIds + 2;
}

/** Collects when it is time, or when instances run short; aborts, with nothing changed, when lines need nearly all there can be. */
export function provideInstances(): void {
  if (live >= collectAt || isShort()) collect();
  if (isShort()) abort(null, null, ABORT_OUT_OF_INSTANCES, 0);
}

function makeInstance(pkg: u32, keyId: u32): u32 {
  const id = takeId();
  forgetSchedule(id);
  live += 1;
  const at = record(id);
  const mode = load<u32>(programmed + cell(pkg, keyId));
  const generation = load<u32>(generations + cell(pkg, keyId));
  const own = mode == 1 || keyId == 0;
  let kind = KIND_STREAM;
  if (mode == KEY_MODE_DIRECT + 1) kind = KIND_GIVEN;
  else if (mode == KEY_MODE_NO_ENCRYPT + 1) kind = KIND_PLAIN;
  else if (!own && unprogrammedFault) kind = KIND_FAULT;
  store<u32>(at, keyId, KEY_ID);
  store<u32>(at, generation, GENERATION);
  store<u32>(at, kind, KIND);
  store<u32>(at, pkg, STREAM_PACKAGE);
  // A KeyID without a key of its own behaves like KeyID 0.
  store<u32>(at, own ? keyId : 0, STREAM_KEY_ID);
  store<u32>(at, own ? generation : 0, STREAM_GENERATION);
  store<u32>(at, 0, READY);
  store<u32>(at, 0, LINK);
  store<u32>(at, 0, PREVIOUS);
  store<u64>(at, 0, SINCE);
  return id;
}

/** PCONFIG: `direct` takes data key and tweak key from the mailbox. */
export function programKey(pkg: u32, keyId: u32, mode: u32): void {
  provideInstances();
  reserve();
  const at = cell(pkg, keyId);
  const before = pending != 0 ? currentInstance(pkg, keyId) : 0;
  store<u32>(generations + at, load<u32>(generations + at) + 1);
  store<u32>(programmed + at, mode == KEY_MODE_CLEAR ? 0 : mode + 1);
  store<u32>(current + at, 0);
  store<u32>(expected + at, 0);
  if (before != 0) succeed(currentInstance(pkg, keyId), before);
  if (mode != KEY_MODE_DIRECT) return;
  const instance = currentInstance(pkg, keyId);
  const bytes = record(instance) + BYTES;
  const keySize = <usize>(aesBits >> 3);
  memory.fill(bytes, 0, 64);
  memory.copy(bytes, mailbox, keySize);
  memory.copy(bytes + 32, mailbox + keySize, keySize);
  store<u32>(record(instance), 1, READY);
}

/** Write-backs that were noted before now go on under the old key. */
function succeed(instance: u32, before: u32): void {
  store<u32>(record(instance), before, PREVIOUS);
  store<u64>(record(instance), sequence, SINCE);
}

/** Called by the collector for every instance that a line names. */
export function markInstance(instance: u32): void {
  store<u32>(record(instance), LINKED, LINK);
}

function collect(): void {
  resolveAll();
  markInstances();
  for (let at = current, end = current + ((<usize>(packages * keyIds)) << 2); at < end; at += 4) {
    const instance = load<u32>(at);
    if (instance != 0) markInstance(instance);
  }
  live = 0;
  freeList = 0;
  for (let id: u32 = 1; id < instances; ++id) {
    const at = record(id);
    if (load<u32>(at, LINK) == LINKED) {
      live += 1;
      store<u32>(at, 0, LINK);
      store<u64>(at, 0, SINCE);
    } else {
      store<u32>(at, KIND_FREE, KIND);
      store<u32>(at, freeList, LINK);
      freeList = id;
    }
  }
  collectAt = max<u32>(2048, live << 1);
}
