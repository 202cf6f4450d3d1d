import type { LogicalProcessor } from '../../platform/index.ts';
import { TDVPS } from '../../spec/layouts.ts';
import { MemoryStruct } from './memory-struct.ts';

const PAGE_SHIFT = 12;
const PAGE_MASK = 0xfff;

/** State of one VCPU, under the TD's KeyID; page 0 is the TDVPR, the others are where TDVPS_PAGE_PA says. */
export class Tdvps extends MemoryStruct {
  /** Address of the TDVPR page. */
  readonly pa: number;
  readonly #pages: number[] = [];

  constructor(lp: LogicalProcessor, keyId: number, pa: number) {
    super(lp, keyId);
    this.pa = pa;
    this.#pages[0] = pa;
  }

  override at(offset: number): number {
    return this.page(offset >> PAGE_SHIFT) + (offset & PAGE_MASK);
  }

  /** Address of page `index`, mapped once per use of the structure. */
  page(index: number): number {
    this.#pages[index] ??= this.getNumber(TDVPS.TDVPS_PAGE_PA.item(index));
    return this.#pages[index];
  }
}
