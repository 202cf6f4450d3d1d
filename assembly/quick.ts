/**
 * Single lines without detours: the hits that most accesses are. Each returns 0 where something needs to be looked at; the same
 * access then takes the long way, which answers the same.
 */
import { lru, provenance } from './config';
import { count } from './counters';
import { writerNow } from './events';
import { knownTag } from './keys';
import { copyLine, fillLine, lineIs } from './lines';
import { patternLine } from './memory-map';
import { WRITERS as MIXED_WRITERS } from './page';
import {
  COUNTER_CONTROLLER_WRITES,
  COUNTER_LINES_READ,
  COUNTER_LINES_WRITTEN,
  COUNTER_MOVDIR64B_LINES,
  COUNTER_TAGS_COMPARED,
} from './spec/counters';
import { FILL, KIND_SHIFT, MIXED, DATA as PAGE } from './tags';
import { HIGH, kindOf, LOW, RECENT_DESCRIPTOR, RECENT_HOME, recentPage, WRITER } from './tree';
import {
  DATA,
  DIRTY,
  dataPage,
  knownView,
  NO_VIEW,
  PATTERN,
  POISONED,
  recentView,
  VIEW_WRITER,
  validAnywhere,
  validIn,
  WRITERS,
} from './views';

/** In line everywhere: three calls would cost as much as the hit. */
export class Quick {
  /** Bytes of a line that the package holds, for a load. */
  @inline
  static load(pkg: u32, pa: u64, keyId: u32): usize {
    const view = recentView(pa >> 12, keyId);
    if (view == 0 || lru) return 0;
    if ((((validIn(view, pkg) & ~load<u64>(view, POISONED)) >> ((pa >> 6) & 63)) & 1) == 0) return 0;
    const page = dataPage(view);
    if (page != 0) {
      count(COUNTER_LINES_READ);
      return page + (<usize>pa & 4095);
    }
    if (load<u32>(view, DATA) != 0) return 0;
    count(COUNTER_LINES_READ);
    fillLine(patternLine, load<u64>(view, PATTERN));
    return patternLine + (<usize>pa & 63);
  }

  /** Bytes of a dirty line of the package's, for a store; its writer is already the current event. */
  @inline
  static store(pkg: u32, pa: u64, keyId: u32): usize {
    const view = recentView(pa >> 12, keyId);
    if (view == 0 || lru) return 0;
    // A dirty line has one holder.
    if ((((validIn(view, pkg) & load<u64>(view, DIRTY)) >> ((pa >> 6) & 63)) & 1) == 0) return 0;
    const page = dataPage(view);
    if (page == 0) return 0;
    const writers = <usize>load<u32>(view, WRITERS);
    if (writers != 0) store<u32>(writers + ((<usize>(pa >> 6) & 63) << 2), writerNow);
    else if (load<u32>(view, VIEW_WRITER) != writerNow) return 0;
    count(COUNTER_LINES_WRITTEN);
    return page + (<usize>pa & 4095);
  }

  /**
   * Descriptor of a line that is what the KeyID may read; else 0. Such a line has no poison, and its ciphertext was not made real.
   * Pages with a few odd lines are left to the long way.
   */
  @inline
  private static goodLine(line: u64, keyId: u32): usize {
    const recent = recentPage(line >> 6);
    if (recent == 0) return 0;
    const desc = <usize>load<u32>(recent, RECENT_DESCRIPTOR);
    const tag = knownTag(load<u8>(recent, RECENT_HOME), keyId);
    const word = load<u32>(desc);
    count(COUNTER_TAGS_COMPARED);
    if (tag == 0) return 0;
    if (word == (tag | (PAGE << KIND_SHIFT)) || word == tag) return desc;
    return word >> KIND_SHIFT == MIXED && load<u32>(Quick.mixedTag(desc, line)) == tag ? desc : 0;
  }

  @inline
  private static mixedTag(desc: usize, line: u64): usize {
    return <usize>load<u32>(desc, HIGH) + ((<usize>line & 63) << 2);
  }

  @inline
  private static bytesOf(desc: usize, line: u64): usize {
    if (kindOf(desc) == FILL) {
      fillLine(patternLine, load<u64>(desc, LOW));
      return patternLine;
    }
    return <usize>load<u32>(desc, LOW) + ((<usize>line & 63) << 6);
  }

  /** Can the current event write these bytes to a good line without a change of the page's kind? Then it becomes the writer. */
  @inline
  private static writeAs(desc: usize, line: u64, from: usize): bool {
    const kind = kindOf(desc);
    if (kind != MIXED) return load<u32>(desc, WRITER) == writerNow && (kind == PAGE || lineIs(from, load<u64>(desc, LOW)));
    if (!provenance) return true;
    const writers = <usize>load<u32>(desc, HIGH) + MIXED_WRITERS;
    // With the next line's writer it might be the last line that kept the page mixed.
    if (load<u32>(writers + (((<usize>line + 1) & 63) << 2)) == writerNow) return false;
    store<u32>(writers + ((<usize>line & 63) << 2), writerNow);
    return true;
  }

  /** MOVDIR64B over a good line that nobody holds under this KeyID. */
  @inline
  static direct(line: u64, keyId: u32, from: usize): bool {
    const view = knownView(line >> 6, keyId);
    if (view != NO_VIEW && (view == 0 || ((validAnywhere(view) >> (line & 63)) & 1) != 0)) return false;
    const desc = Quick.goodLine(line, keyId);
    if (desc == 0 || !Quick.writeAs(desc, line, from)) return false;
    copyLine(Quick.bytesOf(desc, line), from);
    count(COUNTER_CONTROLLER_WRITES);
    count(COUNTER_LINES_WRITTEN);
    count(COUNTER_MOVDIR64B_LINES);
    return true;
  }

  /** Bytes of a good line of which nobody holds a dirty copy, for a read past the caches; the caller counts it. */
  @inline
  static read(line: u64, keyId: u32): usize {
    const view = knownView(line >> 6, keyId);
    if (view != NO_VIEW && (view == 0 || ((load<u64>(view, DIRTY) >> (line & 63)) & 1) != 0)) return 0;
    const desc = Quick.goodLine(line, keyId);
    return desc == 0 ? 0 : Quick.bytesOf(desc, line);
  }
}
