/**
 * Looks at what the next operations will look at. An operation follows pointers, from a table to a view or a descriptor and from there to bytes
 * and writers, and waits for each; here a step is made for many operations at a time, without a branch, so that the host's memory
 * serves their misses side by side. It changes nothing, and is worth its time once the footprint has outgrown the host's near caches.
 */
import { WRITERS as MIXED_WRITERS } from '../page';
import { KIND_SHIFT, MIXED, DATA as PAGE } from '../tags';
import { HIGH, LOW, recentDescriptor } from '../tree';
import { DATA, DIRTY, SPARSE, viewOrZero, WRITERS } from '../views';
import { addressOf, keyIdAt, packedAt } from './batch';

/** Operations looked at in one go. */
export const AHEAD: u32 = 32;
/** Lines from which on it pays. */
export const FAR_LINES: u64 = 1 << 15;

const views: usize = memory.data(128, 16);
const descriptors: usize = memory.data(128, 16);
/** Stands for a view, a descriptor or bytes that are not there. */
const nothing: usize = memory.data(4608, 64);

/** Keeps the loads from being optimised away. */
export let seen: u64 = 0;

export function lookAhead(first: u32, end: u32): void {
  for (let i = first; i < end; ++i) {
    const frame = addressOf(packedAt(i)) >> 12;
    const at = (<usize>(i - first)) << 2;
    store<u32>(views + at, <u32>Look.orNothing(viewOrZero(frame, keyIdAt(i))));
    store<u32>(descriptors + at, <u32>Look.orNothing(recentDescriptor(frame)));
  }
  let sum: u64 = 0;
  for (let i = first; i < end; ++i) {
    const pa = addressOf(packedAt(i));
    const at = (<usize>(i - first)) << 2;
    sum += Look.bytes(load<u32>(views + at), pa) + Look.stored(load<u32>(descriptors + at), pa);
  }
  seen = sum;
}

class Look {
  @inline
  static orNothing(address: usize): usize {
    return select(address, nothing, address != 0);
  }

  @inline
  static bytes(view: usize, pa: u64): u64 {
    const data = <usize>load<u32>(view, DATA);
    const page = select(nothing, data, (data & <usize>SPARSE) != 0 || data == 0);
    const writers = Look.orNothing(load<u32>(view, WRITERS));
    return (
      load<u64>(view, DIRTY) + load<u64>(page + (<usize>pa & 4088)) + <u64>load<u32>(writers + ((<usize>(pa >> 6) & 63) << 2))
    );
  }

  @inline
  static stored(desc: usize, pa: u64): u64 {
    const kind = load<u32>(desc) >> KIND_SHIFT;
    const page = select<usize>(load<u32>(desc, LOW), nothing, kind == PAGE || kind == MIXED);
    const tags = select<usize>(load<u32>(desc, HIGH), nothing, kind == MIXED) + ((<usize>(pa >> 6) & 63) << 2);
    return load<u64>(page + (<usize>pa & 4088)) + <u64>load<u32>(tags) + <u64>load<u32>(tags, MIXED_WRITERS);
  }
}
