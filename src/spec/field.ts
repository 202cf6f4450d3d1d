/**
 * Little-endian fields of structures in simulated memory. `offset` is from the start of the structure; `base` is where the structure
 * starts in the bytes at hand. `load` and `store` take an absolute position, for when only the field itself was fetched.
 */
export interface Field<T> {
  readonly offset: number;
  /** Bytes. */
  readonly size: number;
  get(bytes: Uint8Array, base?: number): T;
  set(bytes: Uint8Array, value: T, base?: number): void;
  load(bytes: Uint8Array, at: number): T;
  store(bytes: Uint8Array, at: number, value: T): void;
}

let viewed: Uint8Array | undefined;
let view: DataView;

/** The DataView over the array that was used last: creating one costs more than the access (guides/memory-core.md). */
function viewOf(bytes: Uint8Array): DataView {
  if (bytes !== viewed || view.byteLength !== bytes.byteLength) {
    view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    viewed = bytes;
  }
  return view;
}

abstract class FieldBase<T> implements Field<T> {
  readonly offset: number;
  readonly size: number;
  constructor(offset: number, size: number) {
    this.offset = offset;
    this.size = size;
  }
  abstract load(bytes: Uint8Array, at: number): T;
  abstract store(bytes: Uint8Array, at: number, value: T): void;
  get(bytes: Uint8Array, base = 0): T {
    return this.load(bytes, base + this.offset);
  }
  set(bytes: Uint8Array, value: T, base = 0): void {
    this.store(bytes, base + this.offset, value);
  }
}

class U8 extends FieldBase<number> {
  load(bytes: Uint8Array, at: number): number {
    return viewOf(bytes).getUint8(at);
  }
  store(bytes: Uint8Array, at: number, value: number): void {
    viewOf(bytes).setUint8(at, value);
  }
}

class U16 extends FieldBase<number> {
  load(bytes: Uint8Array, at: number): number {
    return viewOf(bytes).getUint16(at, true);
  }
  store(bytes: Uint8Array, at: number, value: number): void {
    viewOf(bytes).setUint16(at, value, true);
  }
}

class U32 extends FieldBase<number> {
  load(bytes: Uint8Array, at: number): number {
    return viewOf(bytes).getUint32(at, true);
  }
  store(bytes: Uint8Array, at: number, value: number): void {
    viewOf(bytes).setUint32(at, value, true);
  }
}

/** A 64-bit field: bigint, or a plain number where the value is an address, size or count below 2^53. */
export class U64 extends FieldBase<bigint> {
  load(bytes: Uint8Array, at: number): bigint {
    return viewOf(bytes).getBigUint64(at, true);
  }
  store(bytes: Uint8Array, at: number, value: bigint): void {
    viewOf(bytes).setBigUint64(at, value, true);
  }
  getNumber(bytes: Uint8Array, base = 0): number {
    const at = base + this.offset;
    const v = viewOf(bytes);
    return v.getUint32(at + 4, true) * 0x1_0000_0000 + v.getUint32(at, true);
  }
  setNumber(bytes: Uint8Array, value: number, base = 0): void {
    const at = base + this.offset;
    const v = viewOf(bytes);
    v.setUint32(at, value >>> 0, true);
    v.setUint32(at + 4, Math.floor(value / 0x1_0000_0000), true);
  }
}

/** An unsigned integer of 5 to 6 bytes, as a number. */
class Wide extends FieldBase<number> {
  load(bytes: Uint8Array, at: number): number {
    let value = 0;
    for (let i = this.size - 1; i >= 0; i--) value = value * 256 + bytes[at + i]!;
    return value;
  }
  store(bytes: Uint8Array, at: number, value: number): void {
    for (let i = 0, rest = value; i < this.size; i++, rest = Math.floor(rest / 256)) bytes[at + i] = rest % 256;
  }
}

/** Raw bytes; `get` copies. */
class Raw extends FieldBase<Uint8Array> {
  load(bytes: Uint8Array, at: number): Uint8Array {
    return bytes.slice(at, at + this.size);
  }
  store(bytes: Uint8Array, at: number, value: Uint8Array): void {
    if (value.length !== this.size) throw new RangeError(`this field has ${this.size} bytes, not ${value.length}`);
    bytes.set(value, at);
  }
}

/** An array of equal fields. `item(i)` is the field of element i. */
export interface FieldArray<T, F extends Field<T> = Field<T>> {
  readonly offset: number;
  readonly size: number;
  readonly count: number;
  readonly stride: number;
  item(index: number): F;
  get(bytes: Uint8Array, index: number, base?: number): T;
  set(bytes: Uint8Array, index: number, value: T, base?: number): void;
}

export const u8 = (offset: number): Field<number> => new U8(offset, 1);
export const u16 = (offset: number): Field<number> => new U16(offset, 2);
export const u32 = (offset: number): Field<number> => new U32(offset, 4);
export const u64 = (offset: number): U64 => new U64(offset, 8);
export const wide = (offset: number, size: number): Field<number> => new Wide(offset, size);
export const raw = (offset: number, size: number): Field<Uint8Array> => new Raw(offset, size);

/** `count` fields made by `make`, `stride` bytes apart. */
export function array(make: (offset: number) => U64, offset: number, count: number, stride?: number): FieldArray<bigint, U64>;
export function array<T>(make: (offset: number) => Field<T>, offset: number, count: number, stride?: number): FieldArray<T>;
export function array<T>(
  make: (offset: number) => Field<T>,
  offset: number,
  count: number,
  stride = make(0).size,
): FieldArray<T> {
  const first = make(0);
  return {
    offset,
    size: count * stride,
    count,
    stride,
    item: (index) => make(offset + index * stride),
    get: (bytes, index, base = 0) => first.load(bytes, base + offset + index * stride),
    set: (bytes, index, value, base = 0) => first.store(bytes, base + offset + index * stride, value),
  };
}

/** An array of structures: `at(i)` is the offset of element i, to be used as `base` for the element's own layout. */
export interface StructArray {
  readonly offset: number;
  readonly size: number;
  readonly count: number;
  readonly stride: number;
  at(index: number): number;
}

export const structs = (stride: number, offset: number, count: number): StructArray => ({
  offset,
  size: count * stride,
  count,
  stride,
  at: (index) => offset + index * stride,
});
