import type { LeafTable } from '../context.ts';
import { vpAddcx } from './vp-addcx.ts';
import { vpCreate } from './vp-create.ts';
import { vpEnter } from './vp-enter.ts';
import { vpFlush } from './vp-flush.ts';
import { vpInit } from './vp-init.ts';
import { vpRd } from './vp-rd.ts';
import { vpWr } from './vp-wr.ts';

/** TDH.VP.* */
export const vpLeaves: LeafTable = {
  VP_ADDCX: vpAddcx,
  VP_CREATE: vpCreate,
  VP_ENTER: vpEnter,
  VP_FLUSH: vpFlush,
  VP_INIT: vpInit,
  VP_RD: vpRd,
  VP_WR: vpWr,
};
