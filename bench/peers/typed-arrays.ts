/**
 * A model by somebody who cares: flat typed arrays over a fixed range, a page of cached lines a (page, KeyID) with bit masks, whole pages copied with one
 * `set`, and no allocation once a page is cached. What its author cannot have: ranges beyond the arrays, SIMD, and one call for many lines.
 */
import { LINE, type PeerMemory } from './model.ts';

const PAGE = 4096;
const LINES = PAGE / LINE;
const ALL = 0xffff_ffff;
const POISON = 0x8000_0000;
const KEY_ID_BITS = 15;

/** Lines of one page under one KeyID. Masks are two words: lines 0..31 and 32..63. */
class CachedPage {
  readonly keyId: number;
  readonly data = new Uint8Array(PAGE);
  readonly valid = new Uint32Array(2);
  readonly dirty = new Uint32Array(2);
  readonly poison = new Uint32Array(2);

  constructor(keyId: number) {
    this.keyId = keyId;
  }
}

export class TypedArrays implements PeerMemory {
  readonly #base: number;
  readonly #data: Uint8Array;
  /** A line: poison bit, then the key it was written under (KeyID and its generation), 0 for KeyID 0. */
  readonly #tags: Uint32Array;
  /** The tag that a read through this KeyID accepts. */
  readonly #accepted = new Uint32Array(1 << KEY_ID_BITS);
  /** Pages of each frame in ascending KeyID: WBINVD's order. */
  readonly #cached: CachedPage[][];
  /** Frames that hold cached lines. */
  #held: number[] = [];
  #spare: CachedPage[] = [];
  #nextTag = 1;

  constructor(base: number, bytes: number) {
    this.#base = base;
    this.#data = new Uint8Array(bytes);
    this.#tags = new Uint32Array(bytes / LINE);
    this.#cached = Array.from({ length: bytes / PAGE }, () => []);
  }

  programKey(keyId: number): void {
    this.#accepted[keyId] = this.#nextTag++;
  }

  write(pa: number, keyId: number, bytes: Uint8Array): void {
    this.#eachPage(pa, bytes.length, (frame, first, count, at) => {
      const page = this.#page(frame, keyId);
      this.#fill(page, frame, first, count);
      page.data.set(count === LINES ? bytes.subarray(at, at + PAGE) : bytes.subarray(at, at + count * LINE), first * LINE);
      page.dirty[0]! |= maskOf(first, count, 0);
      page.dirty[1]! |= maskOf(first, count, 1);
      return count;
    });
  }

  read(pa: number, keyId: number, out: Uint8Array): number {
    return this.#eachPage(pa, out.length, (frame, first, count, at) => {
      const page = this.#page(frame, keyId);
      const good = this.#fillUntilPoison(page, frame, first, count);
      out.set(page.data.subarray(first * LINE, (first + good) * LINE), at);
      return good;
    });
  }

  directWrite(pa: number, keyId: number, bytes: Uint8Array): void {
    const tag = keyId === 0 ? 0 : this.#accepted[keyId]!;
    this.#eachPage(pa, bytes.length, (frame, first, count) => {
      const page = this.#cachedPage(frame, keyId);
      if (page) dropLines(page, first, count);
      this.#tags.fill(tag, frame * LINES + first, frame * LINES + first + count);
      return count;
    });
    this.#data.set(bytes, pa - this.#base);
  }

  dmaRead(pa: number, keyId: number, out: Uint8Array): number {
    return this.#eachPage(pa, out.length, (frame, first, count, at) => {
      const page = this.#cachedPage(frame, keyId);
      const isClean = !page || (page.dirty[0]! | page.dirty[1]!) === 0;
      if (!isClean || !this.#isReadable(frame * LINES + first, count, keyId))
        return this.#readLines(frame, first, count, keyId, out, at);
      const from = frame * PAGE + first * LINE;
      out.set(this.#data.subarray(from, from + count * LINE), at);
      return count;
    });
  }

  wbinvd(): void {
    for (const frame of this.#held) {
      const pages = this.#cached[frame]!;
      if (pages.length === 1 && isWhollyDirty(pages[0]!)) this.#writeBackPage(pages[0]!, frame);
      else {
        for (let line = 0; line < LINES; line++) {
          for (const page of pages) if (isSet(page.dirty, line)) this.#writeBack(page, frame, line);
        }
      }
      for (const page of pages) page.valid.fill(0);
      this.#spare.push(...pages);
      pages.length = 0;
    }
    this.#held = [];
  }

  /** Calls `visit` for the lines of each page; it says how many it could do. 1 when one stopped short. */
  #eachPage(pa: number, length: number, visit: (frame: number, first: number, count: number, at: number) => number): number {
    for (let at = 0; at < length; ) {
      const line = (pa - this.#base + at) / LINE;
      const first = line % LINES;
      const count = Math.min(LINES - first, (length - at) / LINE);
      if (visit((line - first) / LINES, first, count, at) !== count) return 1;
      at += count * LINE;
    }
    return 0;
  }

  #cachedPage(frame: number, keyId: number): CachedPage | undefined {
    for (const page of this.#cached[frame]!) if (page.keyId === keyId) return page;
    return undefined;
  }

  #page(frame: number, keyId: number): CachedPage {
    const found = this.#cachedPage(frame, keyId);
    if (found) return found;
    const pages = this.#cached[frame]!;
    if (pages.length === 0) this.#held.push(frame);
    const at = this.#spare.findIndex((page) => page.keyId === keyId);
    const page = at < 0 ? new CachedPage(keyId) : this.#takeSpare(at);
    pages.push(page);
    pages.sort((a, b) => a.keyId - b.keyId);
    return page;
  }

  #takeSpare(at: number): CachedPage {
    const page = this.#spare[at]!;
    this.#spare[at] = this.#spare.at(-1)!;
    this.#spare.pop();
    return page;
  }

  #fill(page: CachedPage, frame: number, first: number, count: number): void {
    if (allSet(page.valid, first, count)) return;
    for (let line = first; line < first + count; line++) this.#fillLine(page, frame, line);
  }

  /** How many lines from `first` on hold no poison; lines behind the first poisoned one are not touched. */
  #fillUntilPoison(page: CachedPage, frame: number, first: number, count: number): number {
    if (allSet(page.valid, first, count) && page.poison[0] === 0 && page.poison[1] === 0) return count;
    for (let line = first; line < first + count; line++) {
      this.#fillLine(page, frame, line);
      if (isSet(page.poison, line)) return line - first;
    }
    return count;
  }

  #fillLine(page: CachedPage, frame: number, line: number): void {
    if (isSet(page.valid, line)) return;
    const bit = 1 << (line & 31);
    const verdict = this.#verdict(frame * LINES + line, page.keyId);
    if (verdict === 0) this.#copyOut(frame, line, page.data, line * LINE);
    else page.data.fill(0, line * LINE, (line + 1) * LINE);
    page.valid[line >> 5]! |= bit;
    page.dirty[line >> 5]! &= ~bit;
    if (verdict === POISON) page.poison[line >> 5]! |= bit;
    else page.poison[line >> 5]! &= ~bit;
  }

  /** Would the controller give this KeyID the data of all `count` lines from number `line` on? */
  #isReadable(line: number, count: number, keyId: number): boolean {
    const tags = this.#tags;
    const tag = keyId === 0 ? 0 : this.#accepted[keyId]!;
    if (keyId !== 0 && tag === 0) return false;
    for (let at = line; at < line + count; at++) if (tags[at] !== tag) return false;
    return true;
  }

  /** One line after the other, where a page is dirty or of more than one kind: how many held no poison. */
  #readLines(frame: number, first: number, count: number, keyId: number, out: Uint8Array, at: number): number {
    const page = this.#cachedPage(frame, keyId);
    for (let line = first; line < first + count; line++) {
      if (page && isSet(page.dirty, line)) this.#writeBack(page, frame, line);
      const to = at + (line - first) * LINE;
      const verdict = this.#verdict(frame * LINES + line, keyId);
      if (verdict === POISON) return line - first;
      if (verdict === 0) this.#copyOut(frame, line, out, to);
      else out.fill(0, to, to + LINE);
    }
    return count;
  }

  /** The controller's read: 0 = the data, 1 = zeros, POISON = zeros and poison, which stays in the line. */
  #verdict(line: number, keyId: number): number {
    const tag = this.#tags[line]!;
    if (tag >= POISON) return POISON;
    if (keyId === 0) return tag === 0 ? 0 : 1;
    if (tag !== 0 && tag === this.#accepted[keyId]) return 0;
    this.#tags[line] = (tag | POISON) >>> 0;
    return POISON;
  }

  #copyOut(frame: number, line: number, out: Uint8Array, at: number): void {
    const from = frame * PAGE + line * LINE;
    out.set(this.#data.subarray(from, from + LINE), at);
  }

  #writeBack(page: CachedPage, frame: number, line: number): void {
    this.#data.set(page.data.subarray(line * LINE, (line + 1) * LINE), frame * PAGE + line * LINE);
    const poison = isSet(page.poison, line) ? POISON : 0;
    this.#tags[frame * LINES + line] = ((page.keyId === 0 ? 0 : this.#accepted[page.keyId]!) | poison) >>> 0;
    page.dirty[line >> 5]! &= ~(1 << (line & 31));
  }

  #writeBackPage(page: CachedPage, frame: number): void {
    this.#data.set(page.data, frame * PAGE);
    this.#tags.fill(page.keyId === 0 ? 0 : this.#accepted[page.keyId]!, frame * LINES, (frame + 1) * LINES);
    page.dirty.fill(0);
  }
}

/** Bits of word 0 or 1 for `count` lines from `first` on. */
function maskOf(first: number, count: number, word: 0 | 1): number {
  const from = Math.max(0, first - 32 * word);
  const to = Math.min(32, first + count - 32 * word);
  if (to <= from) return 0;
  const length = to - from;
  return length === 32 ? ALL : (((1 << length) - 1) << from) >>> 0;
}

function isSet(mask: Uint32Array, line: number): boolean {
  return (mask[line >> 5]! & (1 << (line & 31))) !== 0;
}

function allSet(mask: Uint32Array, first: number, count: number): boolean {
  const [low, high] = [maskOf(first, count, 0), maskOf(first, count, 1)];
  return (mask[0]! & low) >>> 0 === low && (mask[1]! & high) >>> 0 === high;
}

function isWhollyDirty(page: CachedPage): boolean {
  return page.dirty[0] === ALL && page.dirty[1] === ALL && page.poison[0] === 0 && page.poison[1] === 0;
}

function dropLines(page: CachedPage, first: number, count: number): void {
  for (const word of [0, 1] as const) {
    const keep = ~maskOf(first, count, word);
    page.valid[word]! &= keep;
    page.dirty[word]! &= keep;
    page.poison[word]! &= keep;
  }
}
