import type { Thread } from '../linux/index.ts';
import { ENOMEM } from '../spec/errno.ts';

/** A zeroed page near the calling CPU, or -ENOMEM. `owner` names it when it leaks. */
export const allocPage = (current: Thread, owner: string): number =>
  current.cpu.kernel.pages.get_zeroed_page(current.cpu, owner) ?? -ENOMEM;

export const freePage = (current: Thread, page: number): void => current.cpu.kernel.pages.__free_page(page);

/** All of them, or none: -ENOMEM leaves nothing behind. */
export function allocPages(current: Thread, count: number, owner: string): number[] | null {
  const pages: number[] = [];
  while (pages.length < count) {
    const page = allocPage(current, owner);
    if (page < 0) {
      for (const taken of pages) freePage(current, taken);
      return null;
    }
    pages.push(page);
  }
  return pages;
}
