import type { LogicalProcessor } from '../../platform/index.ts';
import { PAMT_ENTRY } from '../../spec/layouts.ts';
import { PT } from '../../spec/states.ts';
import { MemorySharex } from '../lock/sharex.ts';
import { type PageLevel, pageIndex, type TdmrEntry } from './tdmr.ts';

/**
 * One PAMT entry: 16 bytes in simulated memory under the global KeyID. Every getter is a load, every setter a store.
 * Setters leave the lock word alone.
 */
export class PamtEntry {
  readonly lp: LogicalProcessor;
  readonly keyId: number;
  readonly level: PageLevel;
  /** Address of the entry. */
  readonly pa: number;
  readonly lock: MemorySharex;

  constructor(lp: LogicalProcessor, keyId: number, tdmr: TdmrEntry, page: number, level: PageLevel) {
    this.lp = lp;
    this.keyId = keyId;
    this.level = level;
    this.pa = tdmr.pamt[level].base + pageIndex(tdmr, page, level) * PAMT_ENTRY.SIZE;
    this.lock = new MemorySharex(this.pa + PAMT_ENTRY.LOCK.offset, keyId);
  }

  /** {@link PT}. */
  get type(): number {
    return this.lp.load8(this.pa + PAMT_ENTRY.PT.offset, this.keyId);
  }

  /** Address of the owner's TDR; 0 for none. */
  get owner(): number {
    return PAMT_ENTRY.OWNER.get(this.lp.load(this.pa, PAMT_ENTRY.SIZE, this.keyId).u8) * OWNER_UNIT;
  }

  get bepoch(): bigint {
    return this.lp.load64(this.pa + PAMT_ENTRY.BEPOCH.offset, this.keyId);
  }

  set bepoch(epoch: bigint) {
    this.lp.store64(this.pa + PAMT_ENTRY.BEPOCH.offset, epoch, this.keyId);
  }

  /** The page now belongs to the TD whose TDR is at `owner` (0 for a TDR itself); its block epoch starts at 0. */
  assign(type: number, owner: number): void {
    const { u8 } = this.lp.load(this.pa, PAMT_ENTRY.SIZE, this.keyId);
    PAMT_ENTRY.PT.set(u8, type);
    PAMT_ENTRY.OWNER.set(u8, owner / OWNER_UNIT);
    PAMT_ENTRY.BEPOCH.set(u8, 0n);
    this.lp.store(this.pa, PAMT_ENTRY.SIZE, this.keyId);
  }

  /** The page is nobody's again. */
  free(): void {
    this.assign(PT.NDA, 0);
  }
}

const OWNER_UNIT = 4096;
