/** The memory controllers and their DRAM: every line is encrypted and MACed when it is written (DESIGN.md §3). */

import type {
  Check,
  CoreConfig,
  DirectStore,
  Displacement,
  DramLine,
  FaultRecord,
  LineState,
} from '../../bindings/memory-core.ts';
import { KeyTable } from './key-table.ts';
import { LINE_BYTES, type LineKey, lineMac, macKey } from './line-crypto.ts';
import type { Tally } from './tally.ts';

/** What poison remembers of its making; it travels with the poison. */
export type Origin = Omit<FaultRecord, 'pa' | 'keyId'>;

/** A line's data with its poison: what a read returns, what a cache holds and what a write carries. */
export interface LineData {
  readonly bytes: Uint8Array;
  readonly poison: Origin | null;
}

export interface WriteSource extends LineData {
  readonly keyId: number;
  readonly cause: Displacement['cause'];
  readonly writer: number;
}

interface StoredLine {
  ciphertext: Uint8Array;
  mac: number;
  /** False where the line was written without integrity and nobody tampered with it since. */
  macIsStored: boolean;
  tdBit: boolean;
  poison: Origin | null;
  keyId: number;
  generation: number;
  /** The key it was written with, which may have been replaced since. */
  key: LineKey;
  writer: number;
  tampered: boolean;
}

const ZEROS = new Uint8Array(LINE_BYTES);

export class Controller {
  readonly keys: KeyTable;
  event = 0;
  readonly #config: CoreConfig;
  readonly #tally: Tally;
  readonly #macKey: Uint8Array;
  #lines = new Map<number, StoredLine>();
  #displacements: Displacement[] = [];

  constructor(config: CoreConfig, tally: Tally) {
    this.#config = config;
    this.#tally = tally;
    this.keys = new KeyTable(config);
    this.#macKey = macKey(config.seed);
  }

  coldReset(): void {
    this.#lines = new Map();
    this.#displacements = [];
    this.keys.powerOn();
  }

  home(line: number): number {
    const pa = line * LINE_BYTES;
    return this.#config.homes.find((home) => pa >= home.base && pa < home.base + home.size)?.package ?? 0;
  }

  isPrivate(keyId: number): boolean {
    return keyId > this.#config.numSharedKeyIds;
  }

  hasIntegrity(keyId: number): boolean {
    if (this.#config.integrity !== 'Ci' || keyId === 0) return false;
    return this.isPrivate(keyId) || this.#config.sharedIntegrity;
  }

  /** A read by the table of DESIGN.md §3; new poison is stored at once. */
  read(line: number, keyId: number): LineData {
    this.#tally.controllerReads += 1;
    const stored = this.#line(line);
    if (stored.poison) return { bytes: new Uint8Array(LINE_BYTES), poison: stored.poison };
    const failed = this.#failedCheck(line, keyId, stored);
    if (failed) {
      this.#tally.poisonCreated += 1;
      stored.poison = this.#originOfRead(line, keyId, stored, failed);
      return { bytes: new Uint8Array(LINE_BYTES), poison: stored.poison };
    }
    if (this.#tdBitMismatch(keyId, stored)) return { bytes: new Uint8Array(LINE_BYTES), poison: null };
    return { bytes: this.#key(line, keyId).decrypt(line, stored.ciphertext), poison: null };
  }

  /** A write of all 64 bytes: nothing is checked. */
  write(line: number, source: WriteSource): void {
    this.#tally.controllerWrites += 1;
    const tdBit = this.#config.tdBit && this.isPrivate(source.keyId);
    this.#store(line, this.#isFaulting(line, source.keyId) ? this.#unwritable(line, source) : source, tdBit);
  }

  /** A write of 1..63 bytes at `offset` of the line (docs/memory-law.md, "Controller write"). */
  writePartial(line: number, keyId: number, offset: number, bytes: Uint8Array, kind: DirectStore): void {
    this.#tally.partialWrites += 1;
    const stored = this.#line(line);
    const fromOutside = !this.isPrivate(keyId) || kind === 'dma';
    if (!(this.#config.tdBit && fromOutside && stored.tdBit)) {
      const old = this.read(line, keyId);
      old.bytes.set(bytes, offset);
      this.write(line, { ...old, keyId, cause: kind, writer: this.writerNow });
      return;
    }
    if (this.#config.partialWriteErratum) {
      this.#tally.controllerWrites += 1;
      if (!stored.poison) this.#tally.poisonSilent += 1;
      stored.poison ??= this.#origin('partial-write', stored);
      return;
    }
    this.#tally.controllerWrites += 1;
    const merged = new Uint8Array(LINE_BYTES);
    merged.set(bytes, offset);
    const source = { bytes: merged, poison: stored.poison, keyId, cause: kind, writer: this.writerNow };
    this.#store(line, this.#isFaulting(line, keyId) ? this.#unwritable(line, source) : source, false);
  }

  capture(line: number): DramLine {
    const { ciphertext, mac, macIsStored, tdBit, poison } = this.#line(line);
    return { ciphertext: ciphertext.slice(), mac: macIsStored ? mac : null, tdBit, poison: poison !== null };
  }

  replay(line: number, image: DramLine): void {
    const stored = this.#line(line);
    stored.ciphertext = image.ciphertext.slice();
    stored.mac = this.#narrow(image.mac ?? 0);
    stored.macIsStored = true;
    stored.tdBit = this.#config.tdBit && image.tdBit;
    stored.poison = image.poison ? this.#unknownOrigin(stored) : null;
    stored.tampered = true;
  }

  flip(line: number, what: 'data' | 'mac' | 'td-bit' | 'poison', bit: number): void {
    const stored = this.#line(line);
    if (what === 'poison') {
      stored.poison = stored.poison ? null : this.#unknownOrigin(stored);
    } else if (what === 'td-bit') {
      if (this.#config.tdBit) stored.tdBit = !stored.tdBit;
    } else {
      if (what === 'data') stored.ciphertext[bit >> 3] ^= 1 << (bit & 7);
      else stored.mac = (stored.mac ^ (1 << bit)) >>> 0;
      stored.macIsStored = true;
      stored.tampered = true;
    }
  }

  inspect(line: number): LineState {
    const { tdBit, poison, keyId, generation, writer, tampered } = this.#line(line);
    return { tdBit, poison: poison !== null, keyId, generation, homePackage: this.home(line), writer, tampered };
  }

  plaintext(line: number): Uint8Array {
    const { key, ciphertext } = this.#line(line);
    return key.decrypt(line, ciphertext);
  }

  /** The fault that a consumer of this poison reports. */
  faultOf(line: number, keyId: number, origin: Origin): FaultRecord {
    const known = origin.check === 'poison' ? this.#unknownOrigin(this.#line(line)) : origin;
    return { pa: line * LINE_BYTES, keyId, ...known };
  }

  /** Writer id of a write made now. */
  get writerNow(): number {
    return this.#config.provenance ? this.event : 0;
  }

  displacements(line: number): Displacement[] {
    return this.#displacements.filter((entry) => entry.pa === line * LINE_BYTES);
  }

  #store(line: number, source: WriteSource, tdBit: boolean): void {
    const { keyId, bytes, poison, cause, writer } = source;
    const pkg = this.home(line);
    const old = this.#line(line);
    const key = this.keys.key(pkg, keyId);
    const ciphertext = key.encrypt(line, bytes);
    const integrity = this.hasIntegrity(keyId);
    const mac = integrity ? this.#narrow(lineMac(ciphertext, key.tweak(line), tdBit, this.#macKey)) : 0;
    const generation = this.keys.generation(pkg, keyId);
    const state = { tdBit, poison, keyId, generation, key, writer, tampered: false };
    this.#lines.set(line, { ciphertext, mac, macIsStored: integrity, ...state });
    if (!this.#config.provenance || (keyId === old.keyId && tdBit === old.tdBit)) return;
    this.#tally.displacements += 1;
    const displaced = { displacedKeyId: old.keyId, displacedTdBit: old.tdBit, displacedWriter: old.writer };
    this.#displacements.push({ pa: line * LINE_BYTES, cause, event: this.event, keyId, tdBit, writer, ...displaced });
  }

  /** `hw.unprogrammedKey = fault`: what a write through such a KeyID leaves behind. */
  #unwritable(line: number, source: WriteSource): WriteSource {
    if (source.poison) return { ...source, bytes: ZEROS };
    this.#tally.poisonCreated += 1;
    return { ...source, bytes: ZEROS, poison: this.#origin('unprogrammed-key', this.#line(line)) };
  }

  #failedCheck(line: number, keyId: number, stored: StoredLine): Check | null {
    if (this.#isFaulting(line, keyId)) return 'unprogrammed-key';
    const macFirst = this.#config.checkOrder === 'mac-first';
    if (macFirst && this.#checkMac(line, keyId, stored)) return 'mac';
    if (this.#config.tdBit) this.#tally.tdBitChecks += 1;
    if (this.#tdBitMismatch(keyId, stored)) {
      this.#tally.tdBitMismatches += 1;
      return this.#tdBitFires(keyId, stored) ? 'td-bit' : null;
    }
    return !macFirst && this.#checkMac(line, keyId, stored) ? 'mac' : null;
  }

  /** The counted MAC check; true when it fails. */
  #checkMac(line: number, keyId: number, stored: StoredLine): boolean {
    if (!this.hasIntegrity(keyId)) return false;
    this.#tally.macChecks += 1;
    const wrong = this.#macMismatch(line, keyId, stored);
    if (wrong) this.#tally.macMismatches += 1;
    return wrong;
  }

  #tdBitMismatch(keyId: number, stored: StoredLine): boolean {
    return this.#config.tdBit && stored.tdBit !== this.isPrivate(keyId);
  }

  /** A mismatch that makes poison: shared without integrity gets the fixed pattern instead. */
  #tdBitFires(keyId: number, stored: StoredLine): boolean {
    return this.#tdBitMismatch(keyId, stored) && (this.isPrivate(keyId) || this.hasIntegrity(keyId));
  }

  #macMismatch(line: number, keyId: number, stored: StoredLine): boolean {
    const tweak = this.#key(line, keyId).tweak(line);
    return this.#narrow(lineMac(stored.ciphertext, tweak, stored.tdBit, this.#macKey)) !== stored.mac;
  }

  #isFaulting(line: number, keyId: number): boolean {
    return this.#config.unprogrammedKey === 'fault' && !this.keys.isProgrammed(this.home(line), keyId);
  }

  #key(line: number, keyId: number): ReturnType<KeyTable['key']> {
    return this.keys.key(this.home(line), keyId);
  }

  #narrow(mac: number): number {
    return mac & (2 ** this.#config.macBits - 1);
  }

  /** Poison made now by `check`, where neither TD bit nor MAC were compared. */
  #origin(check: Check, { keyId, tdBit, writer }: Pick<StoredLine, 'keyId' | 'tdBit' | 'writer'>): Origin {
    const stored = { storedKeyId: keyId, storedTdBit: tdBit, writer };
    return { check, macWouldFire: null, tdBitWouldFire: false, poisonedBy: this.event, ...stored };
  }

  /** Poison made by a read: what the other check would have said is computed. */
  #originOfRead(line: number, keyId: number, stored: StoredLine, check: Check): Origin {
    const hasMac = this.hasIntegrity(keyId) && check !== 'unprogrammed-key';
    const macWouldFire = hasMac ? this.#macMismatch(line, keyId, stored) : null;
    return { ...this.#origin(check, stored), macWouldFire, tdBitWouldFire: this.#tdBitFires(keyId, stored) };
  }

  /** An attacker's poison: nobody knows where it comes from, so its consumer reports the line as it finds it. */
  #unknownOrigin(stored: StoredLine): Origin {
    return { ...this.#origin('poison', stored), poisonedBy: 0 };
  }

  #line(line: number): StoredLine {
    let stored = this.#lines.get(line);
    if (!stored) {
      const key = this.keys.key(this.home(line), 0);
      stored = {
        ciphertext: key.encrypt(line, ZEROS),
        mac: 0,
        macIsStored: false,
        tdBit: false,
        poison: null,
        keyId: 0,
        generation: 0,
        key,
        writer: 0,
        tampered: false,
      };
      this.#lines.set(line, stored);
    }
    return stored;
  }

  /** Numbers of the lines of [pa, end) that anybody touched, ascending. */
  touchedLines(pa: number, end: number): number[] {
    const first = Math.floor(pa / LINE_BYTES);
    return [...this.#lines.keys()].filter((line) => line >= first && line * LINE_BYTES < end).sort((a, b) => a - b);
  }
}
