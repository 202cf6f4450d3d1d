/** Views in ascending (page, KeyID): made when asked for, kept until a view comes or goes. */
import { allocate, donate } from './arena';
import { dataPages } from './slabs';
import { bucketCount, bucketHead, NEXT, viewCount, viewVersion } from './views';

let sorted: usize = 0;
let room: u32 = 0;
let size: u32 = 0;
let version: u32 = 0;

export function sortedCount(): u32 {
  if (version != viewVersion) rebuild();
  return size;
}

export function sortedView(i: u32): usize {
  return load<u32>(sorted + ((<usize>i) << 2));
}

/** Position of the first view whose key is at least `key`. */
export function firstAtLeast(key: u64): u32 {
  let low: u32 = 0;
  let high = sortedCount();
  while (low < high) {
    const middle = (low + high) >> 1;
    if (load<u64>(sortedView(middle)) < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

function rebuild(): void {
  if (room < viewCount) makeRoom();
  size = 0;
  for (let bucket: u32 = 0; bucket < bucketCount(); ++bucket) {
    for (let view = bucketHead(bucket); view != 0; view = load<u32>(view, NEXT)) {
      store<u32>(sorted + ((<usize>size) << 2), <u32>view);
      size += 1;
    }
  }
  heapSort();
  version = viewVersion;
}

function makeRoom(): void {
  const wider = max<u32>(1024, viewCount + (viewCount >> 1));
  const at = allocate((<usize>wider) << 2);
  if (room != 0) donate(dataPages, sorted, (<usize>room) << 2);
  sorted = at;
  room = wider;
}

function heapSort(): void {
  for (let i = <i32>(size >> 1) - 1; i >= 0; --i) sink(<u32>i, size);
  for (let end = size; end > 1; ) {
    end -= 1;
    const last = <u32>sortedView(end);
    store<u32>(sorted + ((<usize>end) << 2), load<u32>(sorted));
    store<u32>(sorted, last);
    sink(0, end);
  }
}

function sink(from: u32, end: u32): void {
  let i = from;
  const view = <u32>sortedView(i);
  const key = load<u64>(view);
  while (true) {
    let child: u32 = 2 * i + 1;
    if (child >= end) break;
    if (child + 1 < end && load<u64>(sortedView(child)) < load<u64>(sortedView(child + 1))) child += 1;
    if (load<u64>(sortedView(child)) <= key) break;
    store<u32>(sorted + ((<usize>i) << 2), <u32>sortedView(child));
    i = child;
  }
  store<u32>(sorted + ((<usize>i) << 2), view);
}
