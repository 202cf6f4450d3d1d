import type { LeafTable } from '../context.ts';
import { mngAddcx } from './mng-addcx.ts';
import { mngCreate } from './mng-create.ts';
import { mngInit } from './mng-init.ts';
import { mngKeyConfig } from './mng-key-config.ts';
import { mngKeyFreeid } from './mng-key-freeid.ts';
import { mngKeyReclaimid } from './mng-key-reclaimid.ts';
import { mngRd } from './mng-rd.ts';
import { mngVpflushdone } from './mng-vpflushdone.ts';
import { mngWr } from './mng-wr.ts';

/** TDH.MNG.* */
export const mngLeaves: LeafTable = {
  MNG_CREATE: mngCreate,
  MNG_KEY_CONFIG: mngKeyConfig,
  MNG_ADDCX: mngAddcx,
  MNG_INIT: mngInit,
  MNG_VPFLUSHDONE: mngVpflushdone,
  MNG_KEY_FREEID: mngKeyFreeid,
  MNG_KEY_RECLAIMID: mngKeyReclaimid,
  MNG_RD: mngRd,
  MNG_WR: mngWr,
};
