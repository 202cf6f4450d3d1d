import { PT } from '../../spec/states.ts';

/** A page that the host has given to a TD. */
export interface OwnedPage {
  readonly pa: number;
  /** 0 = 4 KiB, 1 = 2 MiB, 2 = 1 GiB. */
  readonly level: number;
  /** Page type as the PAMT should have it (spec/states PT). */
  readonly type: number;
  /** TDR of the owner; for a TDR its own address. */
  readonly tdr: number;
  /** Guest address of a REG page; -1 for others. */
  readonly gpa: number;
  /** Event that gave it. */
  readonly event: number;
}

const LEVEL_SHIFT = 9;
const PAGE_SHIFT = 12;
export const levelBytes = (level: number): number => 2 ** (PAGE_SHIFT + LEVEL_SHIFT * level);

/** Who has which page, by the calls alone. Every method returns what is wrong with the step, or nothing. */
export class PageBook {
  readonly pages = new Map<number, OwnedPage>();
  /** Every address that was ever guest memory, and the size of the page. */
  readonly guestMemory = new Map<number, number>();
  readonly #byGpa = new Map<string, OwnedPage>();

  give(page: OwnedPage): string | null {
    const owner = this.ownerOf(page.pa);
    this.pages.set(page.pa, page);
    if (page.gpa >= 0) {
      this.#byGpa.set(gpaKey(page.tdr, page.gpa), page);
      this.guestMemory.set(page.pa, levelBytes(page.level));
    }
    return owner ? `was given away twice: it still belongs to the TD at 0x${owner.tdr.toString(16)}` : null;
  }

  take(pa: number): string | null {
    const page = this.pages.get(pa);
    if (!page) return 'was taken back, but nobody had it';
    this.pages.delete(pa);
    if (page.gpa >= 0) this.#byGpa.delete(gpaKey(page.tdr, page.gpa));
    return null;
  }

  /** The page, of any size, that an address lies in. */
  ownerOf(pa: number): OwnedPage | undefined {
    for (let level = 0; level <= 2; level++) {
      const page = this.pages.get(pa - (pa % levelBytes(level)));
      if (page && page.level >= level) return page;
    }
    return undefined;
  }

  mapped(tdr: number, gpa: number): OwnedPage | undefined {
    return this.#byGpa.get(gpaKey(tdr, gpa));
  }

  ofTd(tdr: number): OwnedPage[] {
    return [...this.pages.values()].filter((page) => page.tdr === tdr && page.type !== PT.TDR);
  }
}

const gpaKey = (tdr: number, gpa: number): string => `${tdr}/${gpa}`;
