/**
 * The radix tree over page frames, 13/9/9/9: entries of 512 GiB, 1 GiB, 2 MiB and 4 KiB, each a 16-byte descriptor
 *   {tag | kind, writer, low, high}: FILL low/high = pattern; DATA low = data; MIXED low = data, high = line block; NODE low = child.
 * A direct-mapped software TLB in front remembers the lowest descriptor that covers a page; it is invisible.
 */

import { allocate, give, take } from './arena';
import { addressBits } from './config';
import { count } from './counters';
import { homeEnd, homeOf } from './homes';
import { expectedTag } from './keys';
import { NODE_BYTES, treeNodes } from './slabs';
import { COUNTER_NODES_VISITED } from './spec/counters';
import { FILL, KIND_SHIFT, NODE } from './tags';

export const WRITER = 4;
export const LOW = 8;
export const HIGH = 12;

export const ROOT_SHIFT: u64 = 27;
const TLB_ENTRIES: i32 = 32768;
const EPOCH_BITS: u64 = 20;
export const RECENT_DESCRIPTOR = 8;
export const RECENT_HOME = 12;
const RECENT_SPAN = 13;

export let root: usize = 0;
let rootEntries: u32 = 0;
const tlb: usize = memory.data(TLB_ENTRIES * 16, 64);
let epoch: u64 = 1;
/** log2 of the frames that the descriptor found last stands for. */
export let span: u64 = 0;

export function initTree(): void {
  rootEntries = (<u32>1) << max<u32>(addressBits - 12 - <u32>ROOT_SHIFT, 0);
  root = allocate((<usize>rootEntries) << 4);
}

export function kindOf(desc: usize): u32 {
  return load<u32>(desc) >> KIND_SHIFT;
}

/** The lowest descriptor that covers the frame; its size is left in `span`. */
export function findDescriptor(frame: u64): usize {
  const entry = tlb + ((<usize>frame & <usize>(TLB_ENTRIES - 1)) << 4);
  if (load<u64>(entry) == ((frame << EPOCH_BITS) | epoch)) {
    const desc = <usize>load<u32>(entry, RECENT_DESCRIPTOR);
    if (kindOf(desc) != NODE) {
      span = load<u8>(entry, RECENT_SPAN);
      return desc;
    }
  }
  return walk(frame, entry);
}

/** What the TLB knows of a page: {–, descriptor, home u8, span u8}; 0 when it knows nothing. The descriptor may have been split since. */
export function recentPage(frame: u64): usize {
  const entry = tlb + ((<usize>frame & <usize>(TLB_ENTRIES - 1)) << 4);
  return load<u64>(entry) == ((frame << EPOCH_BITS) | epoch) ? entry : 0;
}

/** The descriptor of {@link recentPage} without a branch, or 0. */
export function recentDescriptor(frame: u64): usize {
  const entry = tlb + ((<usize>frame & <usize>(TLB_ENTRIES - 1)) << 4);
  return select<usize>(load<u32>(entry, RECENT_DESCRIPTOR), 0, load<u64>(entry) == ((frame << EPOCH_BITS) | epoch));
}

/** The node of pages that was walked to last: its neighbours come next. Good for as long as no node goes. */
let lastNode: usize = 0;
let lastRegion: u64 = u64.MAX_VALUE;

function walk(frame: u64, entry: usize): usize {
  if (frame >> 9 == lastRegion) {
    const desc = lastNode + ((<usize>frame & 511) << 4);
    count(COUNTER_NODES_VISITED);
    note(entry, frame, desc, 0);
    span = 0;
    return desc;
  }
  let shift = ROOT_SHIFT;
  let desc = root + ((<usize>(frame >> ROOT_SHIFT)) << 4);
  let steps: u64 = 1;
  while (kindOf(desc) == NODE) {
    shift -= 9;
    desc = childOf(desc, frame, shift);
    steps += 1;
  }
  count(COUNTER_NODES_VISITED, steps);
  span = shift;
  note(entry, frame, desc, shift);
  if (shift == 0) {
    lastRegion = frame >> 9;
    lastNode = desc - ((<usize>frame & 511) << 4);
  }
  return desc;
}

function note(entry: usize, frame: u64, desc: usize, shift: u64): void {
  store<u64>(entry, (frame << EPOCH_BITS) | epoch);
  store<u32>(entry, <u32>desc, RECENT_DESCRIPTOR);
  store<u8>(entry, <u8>homeOf(frame), RECENT_HOME);
  store<u8>(entry, <u8>shift, RECENT_SPAN);
}

function childOf(desc: usize, frame: u64, shift: u64): usize {
  return <usize>load<u32>(desc, LOW) + ((<usize>((frame >> shift) & 511)) << 4);
}

/** The page's own descriptor; larger ranges are split down to it. */
export function pageDescriptor(frame: u64): usize {
  let desc = findDescriptor(frame);
  let shift = span;
  while (shift > 0) {
    split(desc);
    shift -= 9;
    desc = childOf(desc, frame, shift);
  }
  span = 0;
  return desc;
}

export function split(desc: usize): void {
  const node = take(treeNodes);
  const entry = v128.load(desc);
  for (let at = node; at < node + NODE_BYTES; at += 16) v128.store(at, entry);
  store<u32>(desc, NODE << KIND_SHIFT);
  store<u32>(desc, <u32>node, LOW);
}

export function setFill(desc: usize, tag: u32, writer: u32, pattern: u64): void {
  store<u64>(desc, <u64>tag | ((<u64>writer) << 32));
  store<u64>(desc, pattern, LOW);
}

function equalEntries(a: usize, b: usize): bool {
  return !v128.any_true(v128.xor(v128.load(a), v128.load(b)));
}

/** Is every entry of the node the same uniform one? `changed` is an entry that has just been set. */
function isUniform(node: usize, changed: usize): bool {
  if (kindOf(changed) != FILL) return false;
  const index = (changed - node) >> 4;
  if (!equalEntries(changed, node + (((index + 1) & 511) << 4))) return false;
  if (!equalEntries(changed, node + (((index - 1) & 511) << 4))) return false;
  for (let at = node; at < node + NODE_BYTES; at += 16) if (!equalEntries(changed, at)) return false;
  return true;
}

/** Makes a node that has become uniform one descriptor again. True when it did. */
export function collapseNode(desc: usize, changed: usize): bool {
  const node = <usize>load<u32>(desc, LOW);
  if (!isUniform(node, changed)) return false;
  v128.store(desc, v128.load(node));
  give(treeNodes, node);
  dropTranslations();
  return true;
}

/** Collapses upwards from a page that has just become uniform. */
export function collapseAbove(frame: u64): void {
  const top = root + ((<usize>(frame >> ROOT_SHIFT)) << 4);
  if (kindOf(top) != NODE) return;
  const middle = childOf(top, frame, 18);
  if (kindOf(middle) != NODE) return;
  const low = childOf(middle, frame, 9);
  if (kindOf(low) != NODE) return;
  if (collapseNode(low, childOf(low, frame, 0)) && collapseNode(middle, low)) collapseNode(top, middle);
}

/** Descriptors have moved or gone: forget every cached one. */
export function dropTranslations(): void {
  lastRegion = u64.MAX_VALUE;
  epoch += 1;
  if (epoch >> EPOCH_BITS == 0) return;
  epoch = 1;
  memory.fill(tlb, 0, (<usize>TLB_ENTRIES) << 4);
}

export function rootDescriptors(): u32 {
  return rootEntries;
}

/** Power-on: zeros under KeyID 0, one descriptor for each stretch with one home. Children must have been freed. */
export function initialFill(): void {
  for (let i: u64 = 0; i < <u64>rootEntries; ++i) {
    const frame = i << ROOT_SHIFT;
    fillHomes(root + ((<usize>i) << 4), frame, ROOT_SHIFT);
  }
}

function fillHomes(desc: usize, frame: u64, shift: u64): void {
  setFill(desc, expectedTag(homeOf(frame), 0), 0, 0);
  if (homeEnd(frame) >= frame + ((<u64>1) << shift)) return;
  split(desc);
  const node = <usize>load<u32>(desc, LOW);
  for (let i: u64 = 0; i < 512; ++i) fillHomes(node + ((<usize>i) << 4), frame + (i << (shift - 9)), shift - 9);
}
