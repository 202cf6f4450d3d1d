import type { MmioDevice } from './bus.ts';

const SIZE = 4096;

/** A page with one register at offset 0 that keeps what is written; other offsets read as 0. */
export class TestRegister implements MmioDevice {
  readonly name = 'test-register';
  readonly base: number;
  readonly size = SIZE;
  value: bigint;
  reads = 0;
  writes = 0;

  constructor(base: number, value = 0n) {
    this.base = base;
    this.value = value;
  }

  read(offset: number, size: number): bigint {
    this.reads++;
    return offset === 0 ? BigInt.asUintN(8 * size, this.value) : 0n;
  }

  write(offset: number, size: number, value: bigint): void {
    this.writes++;
    if (offset === 0) this.value = BigInt.asUintN(8 * size, value);
  }
}
