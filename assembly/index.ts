/**
 * The core's exports: the one list. Addresses and line numbers are doubles below 2^52, checked by the caller; data goes
 * through the mailbox; results that do not fit a number lie in the fault, probe and walk records.
 */
import * as access from './access';
import * as arena from './arena';
import * as attack from './attack';
import * as audit from './audit';
import * as capacity from './capacity';
import { keyIds, packages, readConfig, seed } from './config';
import * as counters from './counters';
import { deriveMacKey } from './crypto/mac';
import * as direct from './direct';
import { initDirectory } from './directory';
import * as displacements from './displacements';
import { areWhole, toU64 } from './doubles';
import { setEvent as stamp } from './events';
import * as evictions from './evict';
import * as flush from './flush';
import { initHomes } from './homes';
import * as probes from './inspect';
import * as keys from './keys';
import { CONFIG_MAX_PAGES, MAILBOX_SIZE } from './layout';
import * as lineCrypto from './line-crypto';
import { copyPiece } from './lines';
import { initMacs } from './macs';
import * as map from './memory-map';
import { initOrigins } from './origins';
import { resolveFrame, tryResolveAll } from './pending';
import { Quick } from './quick';
import * as resets from './reset';
import { initSchedules } from './schedules';
import * as sept from './sept';
import * as septCache from './sept-cache';
import { initSlabs } from './slabs';
import * as ranges from './spans';
import { result } from './stress/record';
import { run } from './stress/run';
import { prepareNext, setUp } from './stress/set-up';
import { initTree } from './tree';
import { initViewIndex } from './view-index';

/** Addresses of the fixed records. */
export const mailbox: usize = map.mailbox;
export const fault: usize = map.fault;
export const probe: usize = map.probe;
export const walkResult: usize = map.walkResult;
export const spans: usize = ranges.spans;
export const stressResult: usize = result;

/** Reads the config from the mailbox and powers on. Once an instance. */
export function init(): void {
  readConfig();
  arena.initArena(load<u32>(map.mailbox, CONFIG_MAX_PAGES));
  initSlabs();
  initHomes();
  keys.initKeys();
  initSchedules();
  initTree();
  initViewIndex();
  initDirectory();
  initMacs();
  initOrigins();
  deriveMacKey(seed, map.macKey);
  resets.coldReset();
}

/*
 * The five hits: single-line accesses whose arguments nobody has looked at yet. False: nothing was done; have them checked and take
 * the long way. An address that the platform does not have was never looked up, so it does not hit.
 */

/** Is the address no whole number from 0 to 2^52, or the KeyID none that the platform has? */
function isUnfit(pa: f64, converted: u64, keyId: u32): bool {
  return <f64>(<i64>converted) != pa || keyId >= keyIds;
}

export function loadHit(pkg: u32, pa: f64, length: u32, keyId: u32): bool {
  const from = toU64(pa);
  if (isUnfit(pa, from, keyId) || pkg >= packages || !isPiece(from, length)) return false;
  const hit = Quick.load(pkg, from, keyId);
  if (hit == 0) return false;
  copyPiece(map.mailbox, hit, length);
  return true;
}

export function storeHit(pkg: u32, pa: f64, length: u32, keyId: u32): bool {
  const to = toU64(pa);
  if (isUnfit(pa, to, keyId) || pkg >= packages || !isPiece(to, length)) return false;
  const hit = Quick.store(pkg, to, keyId);
  if (hit == 0) return false;
  copyPiece(hit, map.mailbox, length);
  return true;
}

export function movdir64bHit(pkg: u32, pa: f64, keyId: u32): bool {
  const to = toU64(pa);
  if (isUnfit(pa, to, keyId) || pkg >= packages || (to & 63) != 0) return false;
  return Quick.direct(to >> 6, keyId, map.mailbox);
}

export function dmaReadHit(pa: f64, length: u32, keyId: u32): bool {
  const from = toU64(pa);
  if (isUnfit(pa, from, keyId) || !isPiece(from, length)) return false;
  const hit = Quick.read(from >> 6, keyId);
  if (hit == 0) return false;
  access.countReads(1, keyId);
  copyPiece(map.mailbox, hit + (<usize>from & 63), length);
  return true;
}

export function checkHit(pa: f64, length: u32, keyId: u32): bool {
  const from = toU64(pa);
  if (isUnfit(pa, from, keyId) || !isPiece(from, length)) return false;
  if (Quick.read(from >> 6, keyId) == 0) return false;
  access.countReads(1, keyId);
  return true;
}

/** Loads to `at` in linear memory. */
export function load_(pkg: u32, pa: f64, length: u32, keyId: u32, at: usize): i32 {
  const from = toU64(pa);
  if (isPiece(from, length)) return access.loadLine(pkg, from, length, keyId, at);
  return access.loadRange(pkg, from, length, keyId, at);
}

/** Stores what lies at `at` in linear memory. */
export function store_(pkg: u32, pa: f64, length: u32, keyId: u32, at: usize): void {
  const to = toU64(pa);
  if (isPiece(to, length)) copyPiece(access.storeLine(pkg, to, keyId), at, length);
  else access.storeRange(pkg, to, length, keyId, at);
}

/** Does the access stay in one line? */
function isPiece(pa: u64, length: u32): bool {
  return length - 1 < 64 - (<u32>pa & 63);
}

export function planLoad(pkg: u32, pa: f64, length: f64, keyId: u32): f64 {
  return <f64>access.planLoad(pkg, toU64(pa), toU64(length), keyId);
}

export function planStore(pkg: u32, pa: f64, length: f64, keyId: u32): f64 {
  return <f64>access.planStore(pkg, toU64(pa), toU64(length), keyId);
}

export function planDirect(cause: i32, pa: f64, length: f64, keyId: u32): f64 {
  return <f64>direct.planDirect(cause, toU64(pa), toU64(length), keyId);
}

export function planDma(pa: f64, length: f64, keyId: u32): f64 {
  return <f64>direct.planDma(toU64(pa), toU64(length), keyId);
}

/** Spans of the last plan. */
export function spanCount(): u32 {
  return ranges.spanCount;
}

export function fill(pkg: u32, pa: f64, length: f64, keyId: u32, pattern: u64): void {
  access.storePattern(pkg, toU64(pa), toU64(length), keyId, pattern);
}

export function speculate(pkg: u32, pa: f64, keyId: u32): void {
  access.speculate(pkg, toU64(pa), keyId);
}

/** Old value at mailbox[0, 8). */
export function exchange64(pkg: u32, pa: f64, keyId: u32, expected: u64, desired: u64): i32 {
  return access.exchange(pkg, toU64(pa), keyId, expected, desired, map.mailbox);
}

export function movdir64b(line: f64, keyId: u32): void {
  direct.directLine(toU64(line), keyId, map.mailbox);
}

export function movdir64bFill(line: f64, lines: f64, keyId: u32, pattern: u64): void {
  direct.movdir64bFill(toU64(line), toU64(lines), keyId, pattern);
}

export function movdir64bCopy(pkg: u32, target: f64, targetKeyId: u32, source: f64, sourceKeyId: u32, lines: f64): i32 {
  return direct.movdir64bCopy(pkg, toU64(target), targetKeyId, toU64(source), sourceKeyId, toU64(lines));
}

/** Direct stores of what lies at `at` in linear memory; MOVDIR64B is a cause of its own. */
export function directStore(cause: i32, pa: f64, length: u32, keyId: u32, at: usize): void {
  const to = toU64(pa);
  if (isPiece(to, length)) direct.directPiece(cause, to, length, keyId, at);
  else direct.directRange(cause, to, length, keyId, at);
}

export function dmaRead(pa: f64, length: u32, keyId: u32, at: usize): i32 {
  const from = toU64(pa);
  if (isPiece(from, length)) return direct.dmaPiece(from, length, keyId, at);
  return direct.dmaRead(from, length, keyId, at);
}

export function checkRange(line: f64, end: f64, keyId: u32): i32 {
  if (end - line == 1) return direct.checkLine(toU64(line), keyId);
  return direct.checkRange(toU64(line), toU64(end), keyId);
}

/** Room in linear memory that is never given back, or 0. */
export function allocateBuffer(bytes: u32): usize {
  return arena.tryAllocateBuffer(bytes);
}

export function clflush(line: f64, lines: f64, keyId: u32): void {
  flush.clflush(toU64(line), toU64(lines), keyId);
}

export function wbinvd(pkg: u32): void {
  flush.wbinvd(pkg);
}

export function wbnoinvd(pkg: u32): void {
  flush.wbnoinvd(pkg);
}

export function evict(pkg: u32, line: f64, keyId: u32): bool {
  return evictions.evict(pkg, toU64(line), keyId);
}

export function evictSome(pkg: u32, count: u32): u32 {
  return evictions.evictSome(pkg, count);
}

export function programKey(pkg: u32, keyId: u32, mode: u32): void {
  keys.programKey(pkg, keyId, mode);
}

export function capture(line: f64): void {
  attack.capture(toU64(line));
}

export function replay(line: f64): void {
  attack.replay(toU64(line));
}

export function flip(line: f64, what: i32, bit: u32): void {
  attack.flip(toU64(line), what, bit);
}

export function inspect(line: f64): void {
  probes.inspect(toU64(line));
}

export function nextRun(line: f64, end: f64): bool {
  return probes.nextRun(toU64(line), toU64(end));
}

export function plaintext(line: f64): void {
  audit.plaintext(toU64(line));
}

export function nextNonZero(line: f64, end: f64): f64 {
  return audit.nextNonZero(toU64(line), toU64(end));
}

export function cachedCopy(line: f64, nth: u32): bool {
  return probes.cachedCopy(toU64(line), nth);
}

export function nextCachedLine(line: f64, end: f64): f64 {
  return probes.nextCachedLine(toU64(line), toU64(end));
}

export function coldReset(): void {
  resets.coldReset();
}

export function warmReset(): void {
  resets.warmReset();
}

export function setEvent(id: u32): void {
  stamp(id);
}

/** Address of the next displacement record about the line from log position `from` on, 0 at the end. */
export function findDisplacement(line: f64, from: u32): usize {
  resolveFrame(toU64(line) >> 6);
  return displacements.findDisplacement(toU64(line), from);
}

/** Log position of the record found last. */
export function foundDisplacement(): u32 {
  return displacements.found;
}

/** Where memory has run out, without what pending WBINVDs have yet to do. */
export function counter(index: i32): f64 {
  tryResolveAll();
  return counters.counterValue(index);
}

export function memoryUsed(): f64 {
  return arena.usedBytes();
}

export function septSetRoot(lp: u32, slot: u32, root: f64, keyId: u32, levels: u32): void {
  septCache.setRoot(lp, slot, toU64(root), keyId, levels);
}

export function septWalk(lp: u32, slot: u32, pkg: u32, gpa: f64, write: bool): i32 {
  return sept.walk(lp, slot, pkg, gpa, write);
}

/** Can the `n` doubles at the mailbox's start be GPAs? */
export function areGuestAddresses(n: u32): bool {
  return areWhole(map.mailbox, n);
}

/** `n` walks: GPAs at mailbox[0, 8n), HPAs at mailbox[32768, …), as doubles. Stops at the first that is not mapped; how many were. */
export function septWalkMany(lp: u32, slot: u32, pkg: u32, n: u32, write: bool): u32 {
  return sept.walkMany(lp, slot, pkg, map.mailbox, map.mailbox + MAILBOX_SIZE / 2, n, write);
}

export function invept(lp: u32): void {
  septCache.invept(lp);
}

export function initCapacityModel(): void {
  capacity.initModel();
}

export function referList(pkg: u32, keyId: u32, count: u32): void {
  capacity.referList(pkg, keyId, count);
}

export function referSequence(pkg: u32, keyId: u32, first: f64, lines: f64, stride: f64, from: f64, count: f64): void {
  capacity.referSequence(pkg, keyId, toU64(first), toU64(lines), toU64(stride), toU64(from), toU64(count));
}

export function referRandom(pkg: u32, keyId: u32, first: f64, lines: f64, seed: u64, from: f64, count: f64): void {
  capacity.referRandom(pkg, keyId, toU64(first), toU64(lines), seed, toU64(from), toU64(count));
}

export function modelInvalidate(pkg: u32, line: f64, keyId: u32): bool {
  return capacity.invalidate(pkg, toU64(line), keyId);
}

export function modelEvictSome(pkg: u32, count: u32): u32 {
  return capacity.evictSome(pkg, count);
}

export function modelClear(pkg: u32): void {
  capacity.clear(pkg);
}

export function modelHeld(pkg: u32): u32 {
  return capacity.held(pkg);
}

export function modelDigest(pkg: u32): u64 {
  return capacity.digest(pkg);
}

/**
 * Encrypts (`op` CRYPTO_SEAL) or decrypts (CRYPTO_OPEN) up to CRYPTO_MAX_LINES consecutive lines in the mailbox with the keys
 * in it, AES-XTS with keys of `aesBits` (128 or 256), and leaves the 32-bit MAC of each ciphertext line behind them. Touches no
 * state of the machine, and needs no `init`.
 */
export function cryptoLines(op: i32, aesBits: u32, firstLine: f64, lines: u32): void {
  lineCrypto.cryptoLines(op, aesBits, toU64(firstLine), lines, map.mailbox);
}

/** Takes a stress program from the mailbox and programs the KeyIDs. Once an instance. */
export function stressSetUp(): void {
  setUp();
}

/** Writes the next lines, about, of what lies in memory before the first operation. True when all of it does. */
export function stressPrepare(lines: f64): bool {
  return prepareNext(toU64(lines));
}

export function stressRun(operations: f64): void {
  run(toU64(operations));
}
