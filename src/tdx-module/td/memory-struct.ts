import type { LogicalProcessor } from '../../platform/index.ts';
import type { Field, U64 } from '../../spec/field.ts';

/** A structure of spec/layouts in simulated memory, under one KeyID. Every get is a load, every set a store; nothing is kept here. */
export abstract class MemoryStruct {
  readonly lp: LogicalProcessor;
  readonly keyId: number;

  constructor(lp: LogicalProcessor, keyId: number) {
    this.lp = lp;
    this.keyId = keyId;
  }

  /** Physical address of an offset in the structure. */
  abstract at(offset: number): number;

  get<T>(field: Field<T>): T {
    return field.load(this.lp.load(this.at(field.offset), field.size, this.keyId).u8, 0);
  }

  set<T>(field: Field<T>, value: T): void {
    field.store(this.lp.platform.core.mailbox.u8, 0, value);
    this.lp.store(this.at(field.offset), field.size, this.keyId);
  }

  /** A 64-bit field that holds an address or a count below 2^53. */
  getNumber(field: U64): number {
    return field.getNumber(this.lp.load(this.at(field.offset), field.size, this.keyId).u8, -field.offset);
  }

  setNumber(field: U64, value: number): void {
    field.setNumber(this.lp.platform.core.mailbox.u8, value, -field.offset);
    this.lp.store(this.at(field.offset), field.size, this.keyId);
  }

  /** LOCK XADD: the old value. */
  add(field: Field<number>, delta: number): number {
    const old = this.get(field);
    this.set(field, old + delta);
    return old;
  }
}
