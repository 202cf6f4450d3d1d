import type { Thread } from '../../linux/index.ts';
import { ENOMEM } from '../../spec/errno.ts';
import { addressOf, allocTable, isPresent, type PageTable, tableEntry } from './ept.ts';

/** Writes one 4 KiB entry of the shared EPT, building tables on the way. `gpa` has the shared bit: the CPU walks with it. 0 or -errno. */
export function mapShared(current: Thread, ept: PageTable, gpa: number, leaf: bigint): number {
  let table = ept.root;
  for (let level = ept.levels; level > 1; level--) {
    const at = ept.entryAt(table, gpa, level);
    const entry = current.cpu.lp.load64(at);
    if (isPresent(entry)) {
      table = addressOf(entry);
      continue;
    }
    const child = allocTable(current, 'kvm:shared-ept');
    if (child < 0) return -ENOMEM;
    current.cpu.lp.store64(at, tableEntry(child));
    table = child;
  }
  current.cpu.lp.store64(ept.entryAt(table, gpa, 1), leaf);
  return 0;
}
