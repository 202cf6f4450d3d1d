/** The machine's block sizes. */
import { createSlab } from './arena';
import { packages, provenance } from './config';

export const DATA_BYTES: u32 = 4096;
export const NODE_BYTES: u32 = 8192;

export let dataPages: usize = 0;
export let treeNodes: usize = 0;
/** Of a mixed page: 64 tags and, with provenance, 64 writers. */
export let lineBlocks: usize = 0;
/** 64 writers of a cached page. */
export let writerBlocks: usize = 0;
export let views: usize = 0;
export let macNodes: usize = 0;
export let originNodes: usize = 0;

export const VIEW_HEADER: u32 = 48;

export function initSlabs(): void {
  const viewBytes = (VIEW_HEADER + packages * 8 + 15) & ~15;
  dataPages = createSlab(DATA_BYTES, DATA_BYTES * 8);
  treeNodes = createSlab(NODE_BYTES, NODE_BYTES);
  lineBlocks = createSlab(provenance ? 512 : 256, 4096);
  writerBlocks = createSlab(256, 4096);
  views = createSlab(viewBytes, viewBytes * 64);
  macNodes = createSlab(32, 4096);
  originNodes = createSlab(32, 4096);
}
