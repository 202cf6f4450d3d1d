import type { LogicalProcessor } from '../../platform/index.ts';
import { TDR } from '../../spec/layouts.ts';
import { MemoryStruct } from './memory-struct.ts';

/** The TD root page, under the global KeyID. Fields: `tdr.get(TDR.LIFECYCLE_STATE)`. */
export class Tdr extends MemoryStruct {
  /** Address of the TDR page: the TD's identity, and the owner in its pages' PAMT entries. */
  readonly pa: number;

  constructor(lp: LogicalProcessor, globalKeyId: number, pa: number) {
    super(lp, globalKeyId);
    this.pa = pa;
  }

  override at(offset: number): number {
    return this.pa + offset;
  }

  /** The TD's own KeyID. */
  get hkid(): number {
    return this.get(TDR.HKID);
  }

  get lifecycle(): number {
    return this.get(TDR.LIFECYCLE_STATE);
  }
  set lifecycle(state: number) {
    this.set(TDR.LIFECYCLE_STATE, state);
  }

  /** Adds to CHLDCNT, in 4 KiB pages (negative to subtract). */
  addChildren(pages: number): void {
    this.setNumber(TDR.CHLDCNT, this.getNumber(TDR.CHLDCNT) + pages);
  }
}
