import { TDCS, TDR } from '../../spec/layouts.ts';
import { MemorySharex } from '../lock/sharex.ts';
import { MemoryStruct } from './memory-struct.ts';
import type { Tdr } from './tdr.ts';

const PAGE_SHIFT = 12;
const PAGE_MASK = 0xfff;

/** TD control structure, under the TD's KeyID; its pages are where TDR.TDCX_PA says. Fields: `tdcs.get(TDCS.OP_STATE)`. */
export class Tdcs extends MemoryStruct {
  readonly tdr: Tdr;
  readonly #pages: number[] = [];
  #opStateLock: MemorySharex | undefined;

  constructor(tdr: Tdr) {
    super(tdr.lp, tdr.hkid);
    this.tdr = tdr;
  }

  override at(offset: number): number {
    return this.page(offset >> PAGE_SHIFT) + (offset & PAGE_MASK);
  }

  /** Address of TDCX page `index`, mapped once per use of the structure. */
  page(index: number): number {
    this.#pages[index] ??= this.tdr.getNumber(TDR.TDCX_PA.item(index));
    return this.#pages[index];
  }

  get opState(): number {
    return this.get(TDCS.OP_STATE);
  }
  set opState(state: number) {
    this.set(TDCS.OP_STATE, state);
  }

  /** Op-state, RTMR and service TD binding locks let the host go first (lifecycle.md §8). */
  get opStateLock(): MemorySharex {
    this.#opStateLock ??= new MemorySharex(this.at(TDCS.OP_STATE_LOCK.offset), this.keyId, true);
    return this.#opStateLock;
  }
  get rtmrLock(): MemorySharex {
    return new MemorySharex(this.at(TDCS.RTMR_LOCK.offset), this.keyId, true);
  }
  get epochLock(): MemorySharex {
    return new MemorySharex(this.at(TDCS.EPOCH_LOCK.offset), this.keyId);
  }
  get septLock(): MemorySharex {
    return new MemorySharex(this.at(TDCS.SEPT_LOCK.offset), this.keyId);
  }
}
