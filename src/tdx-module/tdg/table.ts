import { TDG } from '../../spec/leaves.ts';
import type { GuestLeaf, GuestLeafTable, TdgName } from './context.ts';
import { memPageAccept } from './mem-page-accept.ts';
import { memPageAttrRd } from './mem-page-attr-rd.ts';
import { memPageAttrWr } from './mem-page-attr-wr.ts';
import { mrReport } from './mr-report.ts';
import { mrRtmrExtend } from './mr-rtmr-extend.ts';
import { mrVerifyreport } from './mr-verifyreport.ts';
import { sysRd } from './sys-rd.ts';
import { vmRd } from './vm-rd.ts';
import { vmWr } from './vm-wr.ts';
import { vpCpuidveSet } from './vp-cpuidve-set.ts';
import { vpInfo } from './vp-info.ts';
import { vpRd } from './vp-rd.ts';
import { vpVeinfoGet } from './vp-veinfo-get.ts';
import { vpVmcall } from './vp-vmcall.ts';
import { vpWr } from './vp-wr.ts';

const leaves: GuestLeafTable = {
  MEM_PAGE_ACCEPT: memPageAccept,
  MEM_PAGE_ATTR_RD: memPageAttrRd,
  MEM_PAGE_ATTR_WR: memPageAttrWr,
  MR_REPORT: mrReport,
  MR_RTMR_EXTEND: mrRtmrExtend,
  MR_VERIFYREPORT: mrVerifyreport,
  SYS_RD: sysRd,
  VM_RD: vmRd,
  VM_WR: vmWr,
  VP_CPUIDVE_SET: vpCpuidveSet,
  VP_INFO: vpInfo,
  VP_RD: vpRd,
  VP_VEINFO_GET: vpVeinfoGet,
  VP_VMCALL: vpVmcall,
  VP_WR: vpWr,
};

/** Guest leaves by number; a leaf that is not here is unknown to the dispatcher. */
export const GUEST_LEAVES: ReadonlyMap<bigint, GuestLeaf> = new Map(
  Object.entries(leaves).map(([name, leaf]) => [TDG[name as TdgName], leaf]),
);
