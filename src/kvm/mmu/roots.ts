import type { Thread } from '../../linux/index.ts';
import type { Software } from '../../platform/index.ts';
import { ENOMEM } from '../../spec/errno.ts';
import { freePage } from '../pages.ts';
import { reclaimPage } from '../tdx/reclaim.ts';
import type { Td } from '../tdx/td.ts';
import { allocTable, freeTable, PageTable } from './ept.ts';
import { MirrorTable } from './mirror.ts';

const SHARED_BIT_52 = 2 ** 51;

/** kvm_mmu_reload: both roots are there from the first use on. 0 or -ENOMEM. */
export function loadRoots(current: Thread, td: Td): number {
  if (td.mirror) return 0;
  const levels = td.sharedBit === SHARED_BIT_52 ? 5 : 4;
  const mirror = allocTable(current, 'kvm:mirror');
  const shared = mirror < 0 ? mirror : allocTable(current, 'kvm:shared-ept');
  if (shared < 0) {
    if (mirror > 0) freeTable(current, mirror);
    return -ENOMEM;
  }
  td.mirror = new MirrorTable(mirror, levels);
  td.shared = new PageTable(shared, levels);
  return 0;
}

/** kvm_mmu_uninit_vm: S-EPT pages come back, tables go. With the KeyID still assigned the S-EPT pages are leaked. */
export function* freeRoots(current: Thread, td: Td): Software {
  const { mirror, shared } = td;
  if (!mirror || !shared) return;
  for (const table of mirror.table.tables(current)) {
    const external = mirror.externalPages.get(table);
    const isBack = external !== undefined && td.hkid === 0 && (yield* reclaimPage(current, external)) === 0n;
    if (isBack) freePage(current, external);
    freeTable(current, table);
  }
  for (const table of shared.tables(current)) freeTable(current, table);
  td.mirror = null;
  td.shared = null;
}
