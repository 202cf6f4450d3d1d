import type { LeafTable } from '../context.ts';
import { memPageAdd } from './mem-page-add.ts';
import { memPageAug } from './mem-page-aug.ts';
import { memPageDemote } from './mem-page-demote.ts';
import { memPagePromote } from './mem-page-promote.ts';
import { memPageRelocate } from './mem-page-relocate.ts';
import { memPageRemove } from './mem-page-remove.ts';
import { memRangeBlock } from './mem-range-block.ts';
import { memRangeUnblock } from './mem-range-unblock.ts';
import { memRd } from './mem-rd.ts';
import { memSeptAdd } from './mem-sept-add.ts';
import { memSeptRd } from './mem-sept-rd.ts';
import { memSeptRemove } from './mem-sept-remove.ts';
import { memTrack } from './mem-track.ts';
import { memWr } from './mem-wr.ts';

/** TDH.MEM.* */
export const memLeaves: LeafTable = {
  MEM_PAGE_ADD: memPageAdd,
  MEM_PAGE_AUG: memPageAug,
  MEM_PAGE_DEMOTE: memPageDemote,
  MEM_PAGE_PROMOTE: memPagePromote,
  MEM_PAGE_RELOCATE: memPageRelocate,
  MEM_PAGE_REMOVE: memPageRemove,
  MEM_RANGE_BLOCK: memRangeBlock,
  MEM_RANGE_UNBLOCK: memRangeUnblock,
  MEM_RD: memRd,
  MEM_SEPT_ADD: memSeptAdd,
  MEM_SEPT_RD: memSeptRd,
  MEM_SEPT_REMOVE: memSeptRemove,
  MEM_TRACK: memTrack,
  MEM_WR: memWr,
};
