/** The machine's block sizes. */
import { createSlab } from './arena';
import { packages, provenance } from './config';

const DATA_BYTES: u32 = 4096;
export const NODE_BYTES: u32 = 8192;
/** 512 children, a bit for each, how many there are, and the lines that each package holds below. */
export const VIEW_NODE_BYTES: u32 = 2048 + 64 + 16 + 32;

export let dataPages: usize = 0;
export let treeNodes: usize = 0;
/** Of a mixed page: 64 tags and, with provenance, 64 writers. */
export let lineBlocks: usize = 0;
/** 64 writers of a cached page. */
export let writerBlocks: usize = 0;
export let views: usize = 0;
export let macNodes: usize = 0;
export let originNodes: usize = 0;
/** The odd lines of a page that is otherwise uniform: in DRAM, and cached. */
export let sparsePages: usize = 0;
export let sparseViews: usize = 0;
/** Nodes of the index of cached pages. */
export let viewNodes: usize = 0;

export const VIEW_HEADER: u32 = 56;
/** Lines that a sparse block holds before it becomes a page. */
export const SPARSE_LINES: u32 = 4;
const SPARSE_PAGE_BYTES: u32 = 48 + 64 * SPARSE_LINES;
const SPARSE_VIEW_BYTES: u32 = 16 + 64 * SPARSE_LINES;

/** A step may write back a whole page, and each of its lines may need one. */
const LINE_RECORDS: u32 = 2 * 64;

export function initSlabs(): void {
  const viewBytes = (VIEW_HEADER + packages * 8 + 15) & ~15;
  dataPages = createSlab(DATA_BYTES, DATA_BYTES * 32);
  treeNodes = createSlab(NODE_BYTES, NODE_BYTES);
  lineBlocks = createSlab(provenance ? 512 : 256, 4096);
  writerBlocks = createSlab(256, 4096);
  views = createSlab(viewBytes, viewBytes * 64);
  macNodes = createSlab(32, 4096, LINE_RECORDS);
  originNodes = createSlab(32, 4096, LINE_RECORDS);
  sparsePages = createSlab(SPARSE_PAGE_BYTES, SPARSE_PAGE_BYTES * 32);
  sparseViews = createSlab(SPARSE_VIEW_BYTES, SPARSE_VIEW_BYTES * 32);
  viewNodes = createSlab(VIEW_NODE_BYTES, VIEW_NODE_BYTES);
}
