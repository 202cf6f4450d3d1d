import { INITIAL_STATE, ROUND_CONSTANTS } from './sha384-constants.ts';

const BLOCK_BYTES = 128;
const DIGEST_BYTES = 48;
const STATE_BYTES = 64;
const ROUNDS = 80;
const LENGTH_BYTES = 16;
const TWO_32 = 0x1_0000_0000;

/** Bytes of an exported state: eight little-endian 64-bit words, then the number of bytes hashed. */
export const SHA384_STATE_BYTES = STATE_BYTES + 8;

/** Message schedule; words are pairs of 32-bit halves, high first. */
const schedule = new Int32Array(2 * ROUNDS);

/** SHA-384 (FIPS 180-4) whose state can leave at a block boundary and come back: the module keeps MRTD's in the TDCS between leaves. */
export class Sha384 {
  readonly #state: Int32Array = INITIAL_STATE.slice();
  readonly #block = new Uint8Array(BLOCK_BYTES);
  #length = 0;

  /** Continues from {@link export}. */
  static import(bytes: Uint8Array): Sha384 {
    const view = new DataView(bytes.buffer, bytes.byteOffset, SHA384_STATE_BYTES);
    const hash = new Sha384();
    for (let word = 0; word < 8; word++) {
      hash.#state[2 * word] = view.getInt32(8 * word + 4, true);
      hash.#state[2 * word + 1] = view.getInt32(8 * word, true);
    }
    hash.#length = view.getUint32(STATE_BYTES, true) + view.getUint32(STATE_BYTES + 4, true) * TWO_32;
    return hash;
  }

  /** The state between blocks; a RangeError inside one. */
  export(): Uint8Array {
    if (this.#length % BLOCK_BYTES !== 0)
      throw new RangeError('a SHA-384 state can be exported only after whole 128-byte blocks');
    const bytes = new Uint8Array(SHA384_STATE_BYTES);
    const view = new DataView(bytes.buffer);
    for (let word = 0; word < 8; word++) {
      view.setInt32(8 * word + 4, this.#state[2 * word]!, true);
      view.setInt32(8 * word, this.#state[2 * word + 1]!, true);
    }
    view.setUint32(STATE_BYTES, this.#length >>> 0, true);
    view.setUint32(STATE_BYTES + 4, Math.floor(this.#length / TWO_32), true);
    return bytes;
  }

  update(bytes: Uint8Array): this {
    let at = 0;
    while (at < bytes.length) {
      const used = this.#length % BLOCK_BYTES;
      const take = Math.min(BLOCK_BYTES - used, bytes.length - at);
      this.#block.set(bytes.subarray(at, at + take), used);
      at += take;
      this.#length += take;
      if (used + take === BLOCK_BYTES) compress(this.#state, this.#block);
    }
    return this;
  }

  /** Ends the hash: 48 bytes. */
  digest(): Uint8Array {
    const bits = BigInt(this.#length) * 8n;
    const room = BLOCK_BYTES - LENGTH_BYTES - 1;
    const zeros = (room - (this.#length % BLOCK_BYTES) + BLOCK_BYTES) % BLOCK_BYTES;
    const tail = new Uint8Array(1 + zeros + LENGTH_BYTES);
    tail[0] = 0x80;
    new DataView(tail.buffer).setBigUint64(tail.length - 8, bits);
    this.update(tail);
    const out = new DataView(new ArrayBuffer(STATE_BYTES));
    for (const [index, half] of this.#state.entries()) out.setInt32(4 * index, half);
    return new Uint8Array(out.buffer, 0, DIGEST_BYTES);
  }
}

/** SHA-384 of one message. */
export const sha384 = (bytes: Uint8Array): Uint8Array => new Sha384().update(bytes).digest();

const rotateHigh = (high: number, low: number, bits: number): number =>
  bits < 32 ? (high >>> bits) | (low << (32 - bits)) : (low >>> (bits - 32)) | (high << (64 - bits));
const rotateLow = (high: number, low: number, bits: number): number => rotateHigh(low, high, bits);
const carry = (low: number): number => (low / TWO_32) | 0;

/** W[16..79] from the block (FIPS 180-4 §6.4.2 step 1). */
const expand = (block: Uint8Array): void => {
  const w = schedule;
  const view = new DataView(block.buffer, block.byteOffset, BLOCK_BYTES);
  for (let i = 0; i < 32; i++) w[i] = view.getInt32(4 * i);
  for (let i = 32; i < 2 * ROUNDS; i += 2) {
    const h15 = w[i - 30]!;
    const l15 = w[i - 29]!;
    const h2 = w[i - 4]!;
    const l2 = w[i - 3]!;
    const s0h = rotateHigh(h15, l15, 1) ^ rotateHigh(h15, l15, 8) ^ (h15 >>> 7);
    const s0l = rotateLow(h15, l15, 1) ^ rotateLow(h15, l15, 8) ^ ((l15 >>> 7) | (h15 << 25));
    const s1h = rotateHigh(h2, l2, 19) ^ rotateHigh(h2, l2, 61) ^ (h2 >>> 6);
    const s1l = rotateLow(h2, l2, 19) ^ rotateLow(h2, l2, 61) ^ ((l2 >>> 6) | (h2 << 26));
    const low = (s0l >>> 0) + (s1l >>> 0) + (w[i - 13]! >>> 0) + (w[i - 31]! >>> 0);
    w[i] = (s0h + s1h + w[i - 14]! + w[i - 32]! + carry(low)) | 0;
    w[i + 1] = low | 0;
  }
};

type Halves = [
  number,
  number,
  number,
  number,
  number,
  number,
  number,
  number,
  number,
  number,
  number,
  number,
  number,
  number,
  number,
  number,
];

/** One block (FIPS 180-4 §6.4.2 steps 2 to 4); a to h are the standard's working variables in halves. */
const compress = (state: Int32Array, block: Uint8Array): void => {
  expand(block);
  let [ah, al, bh, bl, ch, cl, dh, dl, eh, el, fh, fl, gh, gl, hh, hl] = state as unknown as Halves;
  for (let i = 0; i < 2 * ROUNDS; i += 2) {
    const s1h = rotateHigh(eh, el, 14) ^ rotateHigh(eh, el, 18) ^ rotateHigh(eh, el, 41);
    const s1l = rotateLow(eh, el, 14) ^ rotateLow(eh, el, 18) ^ rotateLow(eh, el, 41);
    const t1l =
      (hl >>> 0) + (s1l >>> 0) + (((el & fl) ^ (~el & gl)) >>> 0) + (ROUND_CONSTANTS[i + 1]! >>> 0) + (schedule[i + 1]! >>> 0);
    const t1h = (hh + s1h + ((eh & fh) ^ (~eh & gh)) + ROUND_CONSTANTS[i]! + schedule[i]! + carry(t1l)) | 0;
    const s0h = rotateHigh(ah, al, 28) ^ rotateHigh(ah, al, 34) ^ rotateHigh(ah, al, 39);
    const s0l = rotateLow(ah, al, 28) ^ rotateLow(ah, al, 34) ^ rotateLow(ah, al, 39);
    const t2l = (s0l >>> 0) + (((al & bl) ^ (al & cl) ^ (bl & cl)) >>> 0);
    const t2h = (s0h + ((ah & bh) ^ (ah & ch) ^ (bh & ch)) + carry(t2l)) | 0;
    const e = (dl >>> 0) + (t1l >>> 0);
    const a = (t1l >>> 0) + (t2l >>> 0);
    hh = gh;
    hl = gl;
    gh = fh;
    gl = fl;
    fh = eh;
    fl = el;
    eh = (dh + t1h + carry(e)) | 0;
    el = e | 0;
    dh = ch;
    dl = cl;
    ch = bh;
    cl = bl;
    bh = ah;
    bl = al;
    ah = (t1h + t2h + carry(a)) | 0;
    al = a | 0;
  }
  add(state, 0, ah, al);
  add(state, 2, bh, bl);
  add(state, 4, ch, cl);
  add(state, 6, dh, dl);
  add(state, 8, eh, el);
  add(state, 10, fh, fl);
  add(state, 12, gh, gl);
  add(state, 14, hh, hl);
};

const add = (state: Int32Array, at: number, high: number, low: number): void => {
  const sum = (state[at + 1]! >>> 0) + (low >>> 0);
  state[at] = (state[at]! + high + carry(sum)) | 0;
  state[at + 1] = sum | 0;
};
