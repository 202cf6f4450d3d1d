/** The program in hand: what `stressSetUp` has read from the mailbox. */
import { allocate } from '../arena';
import {
  STRESS_BASE_LINE,
  STRESS_BUCKET_BYTES,
  STRESS_CROSS_BELOW,
  STRESS_GUEST_PAGES,
  STRESS_HOT_BELOW,
  STRESS_LINES,
  STRESS_MIX,
  STRESS_OPERATIONS,
  STRESS_PARAMETER,
  STRESS_PATTERN,
  STRESS_PREPARE,
  STRESS_PRIVATE_BELOW,
  STRESS_PRIVATE_KEY_IDS,
  STRESS_REGION_SHIFT,
  STRESS_SEED,
  STRESS_SHARED_KEY_IDS,
  STRESS_TABLE_PAGE,
  STRESS_ZIPF,
  STRESS_ZIPF_BUCKETS,
} from '../layout';
import { mailbox } from '../memory-map';
import { drawRegion, seedDraws } from './draw';

export let baseLine: u64 = 0;
export let lines: u64 = 0;
export let pattern: u32 = 0;
export let parameter: u64 = 0;
export let hotBelow: u64 = 0;
export let regionShift: u64 = 0;
export let prepare: bool = false;
export let sharedCount: u32 = 0;
/** KeyIDs 0 to keyCount - 1 are the program's; keyCount is the S-EPT's. */
export let keyCount: u32 = 0;
export let crossBelow: u32 = 0;
export let guestPages: u64 = 0;
export let tablePage: u64 = 0;

/** The KeyID that each region belongs to, u16 each. */
let owners: usize = 0;

/** Cumulative weights, and for each value of a draw's top byte the first operation that it can be. */
const mixTable: usize = memory.data(STRESS_OPERATIONS * 8, 16);
const mixGuide: usize = memory.data(256, 16);

let zipf: usize = 0;
let zipfGuide: usize = 0;
const ZIPF_GUIDE: u32 = 1024;
const ZIPF_GUIDE_SHIFT: u64 = 42;

export function readProgram(): void {
  const at = mailbox;
  seedDraws(load<u64>(at, STRESS_SEED));
  baseLine = load<u64>(at, STRESS_BASE_LINE);
  lines = load<u64>(at, STRESS_LINES);
  pattern = load<u32>(at, STRESS_PATTERN);
  parameter = load<u64>(at, STRESS_PARAMETER);
  hotBelow = load<u64>(at, STRESS_HOT_BELOW);
  regionShift = load<u32>(at, STRESS_REGION_SHIFT);
  prepare = load<u32>(at, STRESS_PREPARE) != 0;
  sharedCount = load<u32>(at, STRESS_SHARED_KEY_IDS);
  keyCount = 1 + sharedCount + load<u32>(at, STRESS_PRIVATE_KEY_IDS);
  crossBelow = load<u32>(at, STRESS_CROSS_BELOW);
  guestPages = load<u32>(at, STRESS_GUEST_PAGES);
  tablePage = load<u64>(at, STRESS_TABLE_PAGE);
  readMix();
  readZipf(load<u32>(at, STRESS_ZIPF_BUCKETS));
  drawOwners(load<u64>(at, STRESS_PRIVATE_BELOW));
}

function readMix(): void {
  memory.copy(mixTable, mailbox + STRESS_MIX, STRESS_OPERATIONS * 8);
  for (let top: u32 = 0, operation: u32 = 0; top < 256; ++top) {
    while ((<u64>top) << 24 >= load<u64>(mixTable + (operation << 3))) operation += 1;
    store<u8>(mixGuide + top, <u8>operation);
  }
}

function readZipf(buckets: u32): void {
  if (buckets == 0) return;
  const bytes = <usize>buckets * STRESS_BUCKET_BYTES;
  zipf = allocate(bytes);
  zipfGuide = allocate(ZIPF_GUIDE << 1);
  memory.copy(zipf, mailbox + STRESS_ZIPF, bytes);
  let bucket = zipf;
  for (let top: u32 = 0; top < ZIPF_GUIDE; ++top) {
    while ((<u64>top) << ZIPF_GUIDE_SHIFT >= load<u64>(bucket)) bucket += STRESS_BUCKET_BYTES;
    store<u16>(zipfGuide + (top << 1), <u16>(bucket - zipf));
  }
}

function regionCount(): u64 {
  return ((lines - 1) >> regionShift) + 1;
}

function drawOwners(privateBelow: u64): void {
  const count = regionCount();
  owners = allocate((<usize>count) << 1);
  const privateCount = <u64>(keyCount - 1 - sharedCount);
  for (let region: u64 = 0; region < count; ++region) {
    const word = drawRegion(region);
    const top = word >> 32;
    const isPrivate = (word & 0xffffffff) < privateBelow;
    const keyId = isPrivate ? <u64>sharedCount + 1 + ((top * privateCount) >> 32) : (top * <u64>(sharedCount + 1)) >> 32;
    store<u16>(owners + ((<usize>region) << 1), <u16>keyId);
  }
}

/** The KeyID that a line of the footprint belongs to. */
export function ownerOf(line: u64): u32 {
  return load<u16>(owners + ((<usize>(line >> regionShift)) << 1));
}

/** The operation of a 32-bit draw. */
export function chooseOperation(draw: u64): u32 {
  let operation = <u32>load<u8>(mixGuide + <usize>(draw >> 24));
  while (draw >= load<u64>(mixTable + (operation << 3))) operation += 1;
  return operation;
}

/** The zipf bucket of a 52-bit draw. */
export function chooseBucket(draw: u64): usize {
  let bucket = zipf + <usize>load<u16>(zipfGuide + ((<usize>(draw >> ZIPF_GUIDE_SHIFT)) << 1));
  while (draw >= load<u64>(bucket)) bucket += STRESS_BUCKET_BYTES;
  return bucket;
}
