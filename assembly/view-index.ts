/**
 * Index of cached pages: a radix tree over page frames, 13/9/9/9 as that of DRAM, whose leaves are the pages' lists of views. A
 * node is {512 children u32, a bit for each child, number of children u32, …, lines held below it u32 for each package}: the bits
 * find the next cached page, the numbers the line of a given rank.
 */
import { allocate, give, take } from './arena';
import { addressBits } from './config';
import { VIEW_NODE_BYTES, viewNodes } from './slabs';

const BITS: usize = 2048;
const CHILDREN: usize = 2112;
const HELD: usize = 2128;
const TOP_SHIFT: u64 = 27;
/** No such page. */
export const NO_FRAME: u64 = u64.MAX_VALUE;

/** 512 GiB entries: children, then a bit for each. */
let top: usize = 0;
let topBits: usize = 0;
let topEntries: u32 = 0;
/** The leaf node that was used last. */
let leaf: usize = 0;
let leafRegion: u64 = NO_FRAME;
/** The one leaf that may be empty: who flushes his only page comes back to it. */
let idleRegion: u64 = NO_FRAME;

export function initViewIndex(): void {
  topEntries = (<u32>1) << max<u32>(addressBits - 12 - <u32>TOP_SHIFT, 6);
  top = allocate((<usize>topEntries) << 2);
  topBits = allocate(<usize>topEntries >> 3);
}

function topCell(frame: u64): usize {
  return top + ((<usize>(frame >> TOP_SHIFT)) << 2);
}

function cellIn(node: usize, frame: u64, shift: u64): usize {
  return node + ((<usize>((frame >> shift) & 511)) << 2);
}

/** The leaf node over a page, or 0. */
function findLeaf(frame: u64): usize {
  if (frame >> 9 == leafRegion) return leaf;
  let node = <usize>load<u32>(topCell(frame));
  if (node != 0) node = load<u32>(cellIn(node, frame, 18));
  if (node != 0) node = load<u32>(cellIn(node, frame, 9));
  if (node != 0) {
    leaf = node;
    leafRegion = frame >> 9;
  }
  return node;
}

/** First view of a page, or 0. */
export function firstView(frame: u64): usize {
  const node = findLeaf(frame);
  return node == 0 ? 0 : <usize>load<u32>(cellIn(node, frame, 0));
}

function setBit(bits: usize, index: usize): void {
  const at = bits + ((index >> 6) << 3);
  store<u64>(at, load<u64>(at) | ((<u64>1) << (index & 63)));
}

function clearBit(bits: usize, index: usize): void {
  const at = bits + ((index >> 6) << 3);
  store<u64>(at, load<u64>(at) & ~((<u64>1) << (index & 63)));
}

function newNode(): usize {
  const node = take(viewNodes);
  memory.fill(node, 0, VIEW_NODE_BYTES);
  return node;
}

function adopt(node: usize, frame: u64, shift: u64, child: usize): void {
  store<u32>(cellIn(node, frame, shift), <u32>child);
  setBit(node + BITS, <usize>((frame >> shift) & 511));
  store<u32>(node, load<u32>(node, CHILDREN) + 1, CHILDREN);
}

function childNode(node: usize, frame: u64, shift: u64): usize {
  const child = <usize>load<u32>(cellIn(node, frame, shift));
  if (child != 0) return child;
  const made = newNode();
  adopt(node, frame, shift, made);
  return made;
}

/** Sets the first view of a page; 0 takes the page out. */
export function setFirstView(frame: u64, view: usize): void {
  if (view == 0) {
    forget(frame);
    return;
  }
  let node = findLeaf(frame);
  if (node == 0) {
    const cell = topCell(frame);
    if (load<u32>(cell) == 0) {
      store<u32>(cell, <u32>newNode());
      setBit(topBits, <usize>(frame >> TOP_SHIFT));
    }
    node = childNode(childNode(load<u32>(cell), frame, 18), frame, 9);
    leaf = node;
    leafRegion = frame >> 9;
  }
  if (frame >> 9 == idleRegion) idleRegion = NO_FRAME;
  if (load<u32>(cellIn(node, frame, 0)) == 0) adopt(node, frame, 0, view);
  else store<u32>(cellIn(node, frame, 0), <u32>view);
}

/** Empties a cell; true when the node has none left. */
function abandon(node: usize, frame: u64, shift: u64): bool {
  store<u32>(cellIn(node, frame, shift), 0);
  clearBit(node + BITS, <usize>((frame >> shift) & 511));
  const left = load<u32>(node, CHILDREN) - 1;
  store<u32>(node, left, CHILDREN);
  return left == 0;
}

function forget(frame: u64): void {
  if (!abandon(findLeaf(frame), frame, 0)) return;
  if (idleRegion != NO_FRAME) giveLeaf(idleRegion << 9);
  idleRegion = frame >> 9;
}

/** Gives back an empty leaf, and what is empty without it. */
function giveLeaf(frame: u64): void {
  const upper = <usize>load<u32>(topCell(frame));
  const middle = <usize>load<u32>(cellIn(upper, frame, 18));
  give(viewNodes, load<u32>(cellIn(middle, frame, 9)));
  leafRegion = NO_FRAME;
  if (!abandon(middle, frame, 9)) return;
  give(viewNodes, middle);
  if (!abandon(upper, frame, 18)) return;
  give(viewNodes, upper);
  store<u32>(topCell(frame), 0);
  clearBit(topBits, <usize>(frame >> TOP_SHIFT));
}

/** A package holds `by` lines of the page more or less. The page is in the index. */
export function changeHeldBelow(frame: u64, pkg: u32, by: i32): void {
  const upper = <usize>load<u32>(topCell(frame));
  const middle = <usize>load<u32>(cellIn(upper, frame, 18));
  const at = HELD + ((<usize>pkg) << 2);
  addTo(upper + at, by);
  addTo(middle + at, by);
  addTo(findLeaf(frame) + at, by);
}

/** The same for a line that package `from` held and package `to` holds now. */
export function moveHeldBelow(frame: u64, from: u32, to: u32): void {
  const upper = <usize>load<u32>(topCell(frame)) + HELD;
  const middle = <usize>load<u32>(cellIn(upper - HELD, frame, 18)) + HELD;
  const lower = findLeaf(frame) + HELD;
  const less = (<usize>from) << 2;
  const more = (<usize>to) << 2;
  addTo(upper + less, -1);
  addTo(middle + less, -1);
  addTo(lower + less, -1);
  addTo(upper + more, 1);
  addTo(middle + more, 1);
  addTo(lower + more, 1);
}

function addTo(at: usize, by: i32): void {
  store<i32>(at, load<i32>(at) + by);
}

/** Lowest set bit at or above `from`, or `count`. */
function nextBit(bits: usize, from: u32, count: u32): u32 {
  if (from >= count) return count;
  let word = from >> 6;
  let rest = load<u64>(bits + ((<usize>word) << 3)) >> (from & 63);
  if (rest != 0) return from + <u32>ctz(rest);
  for (word += 1; word < count >> 6; ++word) {
    rest = load<u64>(bits + ((<usize>word) << 3));
    if (rest != 0) return (word << 6) + <u32>ctz(rest);
  }
  return count;
}

/** First cached page at or after `frame`, or NO_FRAME. */
export function nextFrame(frame: u64): u64 {
  const first = <u32>(frame >> TOP_SHIFT);
  for (let i = nextBit(topBits, first, topEntries); i < topEntries; i = nextBit(topBits, i + 1, topEntries)) {
    const start = (<u64>i) << TOP_SHIFT;
    const found = nextBelow(load<u32>(top + ((<usize>i) << 2)), start, max<u64>(frame, start), 18);
    if (found != NO_FRAME) return found;
  }
  return NO_FRAME;
}

function nextBelow(node: usize, start: u64, frame: u64, shift: u64): u64 {
  let i = <u32>((frame - start) >> shift);
  for (i = nextBit(node + BITS, i, 512); i < 512; i = nextBit(node + BITS, i + 1, 512)) {
    const at = start + ((<u64>i) << shift);
    if (shift == 0) return at;
    const found = nextBelow(load<u32>(node + ((<usize>i) << 2)), at, max<u64>(frame, at), shift - 9);
    if (found != NO_FRAME) return found;
  }
  return NO_FRAME;
}

/** What {@link regionOfRank} left of the rank: the line's place among those of its region. */
export let rankLeft: u64 = 0;

/** The 2 MiB region in which package `pkg` holds its line of rank `rank`: its first frame. What is left of the rank: `rankLeft`. */
export function regionOfRank(pkg: u32, rank: u64): u64 {
  rankLeft = rank;
  const at = HELD + ((<usize>pkg) << 2);
  for (let i = nextBit(topBits, 0, topEntries); i < topEntries; i = nextBit(topBits, i + 1, topEntries)) {
    const upper = <usize>load<u32>(top + ((<usize>i) << 2));
    if (skips(upper + at)) continue;
    const j = childOfRank(upper, at);
    const middle = <usize>load<u32>(upper + ((<usize>j) << 2));
    return ((<u64>i) << TOP_SHIFT) | ((<u64>j) << 18) | ((<u64>childOfRank(middle, at)) << 9);
  }
  return NO_FRAME;
}

/** Passes over a node whose lines all come before the rank. */
function skips(held: usize): bool {
  const lines = <u64>load<u32>(held);
  if (rankLeft < lines) return false;
  rankLeft -= lines;
  return true;
}

function childOfRank(node: usize, held: usize): u32 {
  let i = nextBit(node + BITS, 0, 512);
  while (skips(<usize>load<u32>(node + ((<usize>i) << 2)) + held)) i = nextBit(node + BITS, i + 1, 512);
  return i;
}
