/** The fixed records in Wasm memory (assembly/layout.ts) and long-lived views of them, re-made when memory has grown. */
import * as L from '../assembly/layout.ts';
import type { CoreExports } from './core-exports.ts';
import type { CachedCopy, Check, CoreBuffer, Displacement, DramLine, FaultRecord, LineState, Mailbox } from './memory-core.ts';

const CHECKS: readonly Check[] = ['none', 'poison', 'td-bit', 'mac', 'unprogrammed-key', 'partial-write'];
const CAUSES: readonly Displacement['cause'][] = [
  'eviction',
  'wbinvd',
  'wbnoinvd',
  'clflush',
  'snoop',
  'movdir64b',
  'nt-store',
  'uc-store',
  'dma',
];
const LINE_BYTES = 64;

export class Records implements Mailbox {
  readonly #memory: WebAssembly.Memory;
  readonly #mailbox: number;
  readonly #fault: number;
  readonly #probe: number;
  readonly #walk: number;
  #buffer: ArrayBuffer;
  #u8!: Uint8Array;
  #u32!: Uint32Array;
  #u64!: BigUint64Array;
  #view!: DataView;
  #doublesIn!: Float64Array;
  #doublesOut!: Float64Array;
  #all!: Uint8Array;
  #words!: Uint32Array;

  constructor(core: CoreExports) {
    this.#memory = core.memory;
    this.#mailbox = Number(core.mailbox.value);
    this.#fault = Number(core.fault.value);
    this.#probe = Number(core.probe.value);
    this.#walk = Number(core.walkResult.value);
    this.#buffer = core.memory.buffer;
    this.#make();
  }

  #make(): void {
    const buffer = this.#memory.buffer;
    this.#buffer = buffer;
    this.#u8 = new Uint8Array(buffer, this.#mailbox, L.MAILBOX_SIZE);
    this.#u32 = new Uint32Array(buffer, this.#mailbox, L.MAILBOX_SIZE / 4);
    this.#u64 = new BigUint64Array(buffer, this.#mailbox, L.MAILBOX_SIZE / 8);
    this.#view = new DataView(buffer);
    this.#doublesIn = new Float64Array(buffer, this.#mailbox, L.MAILBOX_SIZE / 16);
    this.#doublesOut = new Float64Array(buffer, this.#mailbox + L.MAILBOX_SIZE / 2, L.MAILBOX_SIZE / 16);
    this.#all = new Uint8Array(buffer);
    this.#words = new Uint32Array(buffer);
  }

  get u8(): Uint8Array {
    if (this.#u8.length === 0) this.#make();
    return this.#u8;
  }

  get u32(): Uint32Array {
    if (this.#u32.length === 0) this.#make();
    return this.#u32;
  }

  get u64(): BigUint64Array {
    if (this.#u64.length === 0) this.#make();
    return this.#u64;
  }

  /** Of all linear memory. */
  get view(): DataView {
    if (this.#buffer.byteLength === 0) this.#make();
    return this.#view;
  }

  /** All linear memory. */
  get memory(): Uint8Array {
    if (this.#all.length === 0) this.#make();
    return this.#all;
  }

  get words(): Uint32Array {
    if (this.#words.length === 0) this.#make();
    return this.#words;
  }

  get buffered(): ArrayBuffer {
    return this.#memory.buffer;
  }

  /** A region that the machine keeps for its user. */
  buffer(at: number, bytes: number): CoreBuffer {
    const memory = this.#memory;
    let u8 = new Uint8Array(memory.buffer, at, bytes);
    return {
      get u8(): Uint8Array {
        if (u8.buffer !== memory.buffer) u8 = new Uint8Array(memory.buffer, at, bytes);
        return u8;
      },
    };
  }

  get mailboxView(): DataView {
    return new DataView(this.#memory.buffer, this.#mailbox, L.MAILBOX_SIZE);
  }

  #u32At(at: number): number {
    return this.view.getUint32(at, true);
  }

  #lineAt(at: number): number {
    return Number(this.view.getBigUint64(at, true));
  }

  #bytesAt(at: number): Uint8Array {
    return new Uint8Array(this.#memory.buffer, at, LINE_BYTES).slice();
  }

  fault(): FaultRecord {
    const at = this.#fault;
    const macWould = this.#u32At(at + L.FAULT_MAC_WOULD_FIRE);
    return {
      pa: this.#lineAt(at + L.FAULT_LINE) * LINE_BYTES,
      keyId: this.#u32At(at + L.FAULT_KEY_ID),
      check: CHECKS[this.#u32At(at + L.FAULT_CHECK)]!,
      macWouldFire: macWould === 2 ? null : macWould === 1,
      tdBitWouldFire: this.#u32At(at + L.FAULT_TD_BIT_WOULD_FIRE) === 1,
      poisonedBy: this.#u32At(at + L.FAULT_POISONED_BY),
      storedKeyId: this.#u32At(at + L.FAULT_STORED_KEY_ID),
      storedTdBit: this.#u32At(at + L.FAULT_STORED_TD_BIT) === 1,
      writer: this.#u32At(at + L.FAULT_WRITER),
    };
  }

  displacement(at: number, pa: number): Displacement {
    return {
      pa,
      cause: CAUSES[this.#u32At(at + L.DISPLACEMENT_CAUSE)]!,
      event: this.#u32At(at + L.DISPLACEMENT_EVENT),
      keyId: this.#u32At(at + L.DISPLACEMENT_KEY_ID),
      tdBit: this.#u32At(at + L.DISPLACEMENT_TD_BIT) === 1,
      writer: this.#u32At(at + L.DISPLACEMENT_WRITER),
      displacedKeyId: this.#u32At(at + L.DISPLACEMENT_OLD_KEY_ID),
      displacedTdBit: this.#u32At(at + L.DISPLACEMENT_OLD_TD_BIT) === 1,
      displacedWriter: this.#u32At(at + L.DISPLACEMENT_OLD_WRITER),
    };
  }

  #flag(flag: number): boolean {
    return (this.#u32At(this.#probe + L.PROBE_FLAGS) & flag) !== 0;
  }

  dramLine(): DramLine {
    const at = this.#probe;
    return {
      ciphertext: this.#bytesAt(at + L.PROBE_DATA),
      mac: this.#flag(L.PROBE_MAC_STORED) ? this.#u32At(at + L.PROBE_MAC) : null,
      tdBit: this.#flag(L.PROBE_TD_BIT),
      poison: this.#flag(L.PROBE_POISON),
    };
  }

  /** The line's bytes as the last probe left them. */
  lineBytes(): Uint8Array {
    return this.#bytesAt(this.#probe + L.PROBE_DATA);
  }

  putDramLine(line: DramLine): void {
    const at = this.#probe;
    const flags = (line.tdBit ? L.PROBE_TD_BIT : 0) | (line.poison ? L.PROBE_POISON : 0);
    new Uint8Array(this.#memory.buffer, at + L.PROBE_DATA, LINE_BYTES).set(line.ciphertext);
    this.view.setUint32(at + L.PROBE_MAC, line.mac ?? 0, true);
    this.view.setUint32(at + L.PROBE_FLAGS, flags, true);
  }

  lineState(): LineState {
    const at = this.#probe;
    return {
      tdBit: this.#flag(L.PROBE_TD_BIT),
      poison: this.#flag(L.PROBE_POISON),
      keyId: this.#u32At(at + L.PROBE_KEY_ID),
      generation: this.#u32At(at + L.PROBE_GENERATION),
      homePackage: this.#u32At(at + L.PROBE_PACKAGE),
      writer: this.#u32At(at + L.PROBE_WRITER),
      tampered: this.#flag(L.PROBE_TAMPERED),
    };
  }

  /** First line and number of lines of the run in the probe record. */
  run(): { line: number; lines: number } {
    return { line: this.#lineAt(this.#probe + L.PROBE_LINE), lines: this.#lineAt(this.#probe + L.PROBE_LINES) };
  }

  cachedCopy(): CachedCopy {
    const at = this.#probe;
    return {
      package: this.#u32At(at + L.PROBE_PACKAGE),
      keyId: this.#u32At(at + L.PROBE_KEY_ID),
      dirty: this.#flag(L.PROBE_DIRTY),
      poison: this.#flag(L.PROBE_POISON),
      writer: this.#u32At(at + L.PROBE_WRITER),
      data: this.#bytesAt(at + L.PROBE_DATA),
    };
  }

  /** The first half of the mailbox. */
  get doublesIn(): Float64Array {
    if (this.#doublesIn.length === 0) this.#make();
    return this.#doublesIn;
  }

  /** The second half. */
  get doublesOut(): Float64Array {
    if (this.#doublesOut.length === 0) this.#make();
    return this.#doublesOut;
  }

  get walkStatus(): number {
    return this.#u32At(this.#walk + L.WALK_STATUS);
  }

  get walkHpa(): number {
    return this.#lineAt(this.#walk + L.WALK_HPA);
  }

  get walkEntry(): bigint {
    return this.view.getBigUint64(this.#walk + L.WALK_ENTRY, true);
  }

  get walkLevel(): number {
    return this.#u32At(this.#walk + L.WALK_LEVEL);
  }
}
