/**
 * Whole pages of a range that need nothing but their bytes moved: tight loops in front of the range plans. Each adds its pages to the
 * spans and returns where it stops: at the end, or before a page that needs to be looked at.
 */
import { lru } from './config';
import { count } from './counters';
import { writerNow } from './events';
import { knownTag } from './keys';
import { addSpan, hasSpan } from './spans';
import { COUNTER_TAGS_COMPARED } from './spec/counters';
import { KIND_SHIFT, DATA as PAGE } from './tags';
import { LOW, RECENT_DESCRIPTOR, RECENT_HOME, recentPage } from './tree';
import { DIRTY, dataPage, knownView, NO_VIEW, POISONED, recentView, validAnywhere, validIn, WRITERS } from './views';

const PAGE_BYTES: usize = 4096;
const ALL: u64 = ~(<u64>0);

/** Pages side by side in linear memory, not yet a span. */
let runStart: usize = 0;
let runEnd: usize = 0;

/** False when there is no room for one more span. */
function extendRun(page: usize): bool {
  if (page != runEnd) {
    closeRun();
    if (!hasSpan()) return false;
    runStart = page;
  }
  runEnd = page + PAGE_BYTES;
  return true;
}

function closeRun(): void {
  if (runEnd != 0) addSpan(runStart, <u32>(runEnd - runStart));
  runEnd = 0;
}

/** Pages of which the package holds every line: for a load none is poisoned; for a store all are dirty, by the current writer. */
export function heldPages(pkg: u32, from: u64, end: u64, keyId: u32, stores: bool): u64 {
  if (lru || (from & 4095) != 0) return from;
  // No block of writers, and this one writer.
  const written = (<u64>writerNow) << 32;
  let pa = from;
  for (; pa + PAGE_BYTES <= end; pa += PAGE_BYTES) {
    const view = recentView(pa >> 12, keyId);
    if (view == 0) break;
    const page = dataPage(view);
    const held = validIn(view, pkg);
    if (page == 0) break;
    if (stores) {
      if ((held & load<u64>(view, DIRTY)) != ALL || load<u64>(view, WRITERS) != written) break;
    } else if ((held & ~load<u64>(view, POISONED)) != ALL) {
      break;
    }
    if (!extendRun(page)) break;
  }
  closeRun();
  return pa;
}

/** Pages in DRAM that are wholly what the KeyID may read: for a read no line is dirty under it; for a write none is cached, and all have the current writer. */
export function storedPages(from: u64, end: u64, keyId: u32, writes: bool): u64 {
  if ((from & 4095) != 0) return from;
  let pa = from;
  for (; pa + PAGE_BYTES <= end; pa += PAGE_BYTES) {
    const frame = pa >> 12;
    const recent = recentPage(frame);
    if (recent == 0) break;
    const tag = knownTag(load<u8>(recent, RECENT_HOME), keyId);
    const desc = <usize>load<u32>(recent, RECENT_DESCRIPTOR);
    const word = load<u64>(desc);
    if (tag == 0 || <u32>word != (tag | (PAGE << KIND_SHIFT))) break;
    if (writes && <u32>(word >> 32) != writerNow) break;
    const view = knownView(frame, keyId);
    if (view != NO_VIEW && (view == 0 || (writes ? validAnywhere(view) : load<u64>(view, DIRTY)) != 0)) break;
    if (!extendRun(load<u32>(desc, LOW))) break;
  }
  closeRun();
  if (!writes) count(COUNTER_TAGS_COMPARED, (pa - from) >> 12);
  return pa;
}
