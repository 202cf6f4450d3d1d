/**
 * Single lines without detours: the hits that most accesses are. Each returns 0 where something needs to be looked at; the same
 * access then takes the long way, which answers the same.
 */
import { lru } from './config';
import { count } from './counters';
import { writerNow } from './events';
import { knownTag } from './keys';
import { copyLine } from './lines';
import {
  COUNTER_CONTROLLER_WRITES,
  COUNTER_LINES_READ,
  COUNTER_LINES_WRITTEN,
  COUNTER_MOVDIR64B_LINES,
  COUNTER_TAGS_COMPARED,
} from './spec/counters';
import { KIND_SHIFT, DATA as PAGE } from './tags';
import { LOW, RECENT_DESCRIPTOR, RECENT_HOME, recentPage, WRITER } from './tree';
import { DIRTY, dataPage, isKnownUncached, POISONED, recentView, VIEW_WRITER, validIn, WRITERS } from './views';

/** Bytes of a line that the package holds, for a load. */
export function loadHit(pkg: u32, pa: u64, keyId: u32): usize {
  const view = recentView(pa >> 12, keyId);
  if (view == 0 || lru) return 0;
  if ((((validIn(view, pkg) & ~load<u64>(view, POISONED)) >> ((pa >> 6) & 63)) & 1) == 0) return 0;
  const page = dataPage(view);
  if (page == 0) return 0;
  count(COUNTER_LINES_READ);
  return page + (<usize>pa & 4095);
}

/** Bytes of a dirty line of the package's, for a store by the event that wrote the page. */
export function storeHit(pkg: u32, pa: u64, keyId: u32): usize {
  const view = recentView(pa >> 12, keyId);
  if (view == 0 || lru) return 0;
  // A dirty line has one holder.
  if ((((validIn(view, pkg) & load<u64>(view, DIRTY)) >> ((pa >> 6) & 63)) & 1) == 0) return 0;
  const page = dataPage(view);
  if (page == 0 || load<u32>(view, WRITERS) != 0 || load<u32>(view, VIEW_WRITER) != writerNow) return 0;
  count(COUNTER_LINES_WRITTEN);
  return page + (<usize>pa & 4095);
}

/**
 * Descriptor of a page of data that is wholly what this KeyID may read, and nothing of which is cached under it; else 0. Such a page
 * has no poison, and none of its ciphertext was made real.
 */
function goodPage(frame: u64, keyId: u32): usize {
  const recent = recentPage(frame);
  if (recent == 0 || !isKnownUncached(frame, keyId)) return 0;
  const desc = <usize>load<u32>(recent, RECENT_DESCRIPTOR);
  const tag = knownTag(load<u32>(recent, RECENT_HOME), keyId);
  count(COUNTER_TAGS_COMPARED);
  return tag != 0 && load<u32>(desc) == (tag | (PAGE << KIND_SHIFT)) ? desc : 0;
}

function lineOf(desc: usize, line: u64): usize {
  return <usize>load<u32>(desc, LOW) + ((<usize>line & 63) << 6);
}

/** MOVDIR64B over a line of such a page by the event that wrote it. */
export function directHit(line: u64, keyId: u32, from: usize): bool {
  const desc = goodPage(line >> 6, keyId);
  if (desc == 0 || load<u32>(desc, WRITER) != writerNow) return false;
  copyLine(lineOf(desc, line), from);
  count(COUNTER_CONTROLLER_WRITES);
  count(COUNTER_LINES_WRITTEN);
  count(COUNTER_MOVDIR64B_LINES);
  return true;
}

/** Bytes of a line of such a page, for a read past the caches; the caller counts it. */
export function readHit(line: u64, keyId: u32): usize {
  const desc = goodPage(line >> 6, keyId);
  return desc == 0 ? 0 : lineOf(desc, line);
}
