import { KEYID_SHIFT, type Software } from '../../platform/index.ts';
import { TDH } from '../../spec/leaves.ts';
import type { Cpu } from '../cpu.ts';
import { PAGE_SIZE } from '../mm/memblock.ts';
import { __seamcall_saved_ret, seamcall, type TdxModuleArgs } from './seamcall.ts';

/** struct tdx_td: physical addresses of a TD's control pages. */
export interface TdxTd {
  tdr_page: number;
  readonly tdcs_pages: number[];
}

/** struct tdx_vp: physical addresses of a vCPU's control pages. */
export interface TdxVp {
  tdvpr_page: number;
  readonly tdcx_pages: number[];
}

/** Status of a SEAMCALL on the S-EPT: on an error RCX is the entry as it was found, RDX its level and state. */
export interface SeptResult {
  readonly status: bigint;
  readonly ext_err1: bigint;
  readonly ext_err2: bigint;
}

export interface ReclaimResult {
  readonly status: bigint;
  readonly tdx_pt: bigint;
  readonly tdx_owner: bigint;
  readonly tdx_size: bigint;
}

export interface ValueResult {
  readonly status: bigint;
  readonly data: bigint;
}

/** Bits 23:16 of RAX. */
const VERSION_1 = 1n << 16n;

/** The page's KeyID-0 lines leave all caches; nothing else keeps them off what the module will write (see the module's CLFLUSH_BEFORE_ALLOC). */
const tdx_clflush_page = (cpu: Cpu, page: number): void => {
  if (cpu.kernel.knobs['kernel.clflushBeforeAdd'] === 'on') cpu.lp.clflush(page, PAGE_SIZE);
};

/** A SEAMCALL that gives `page` to the module. */
function* giving(cpu: Cpu, page: number, leaf: bigint, args: TdxModuleArgs): Software<bigint> {
  tdx_clflush_page(cpu, page);
  const status = yield* seamcall(cpu, leaf, args);
  if (status === 0n) cpu.kernel.tdx.privatePages?.add(page);
  return status;
}

const sept = (status: bigint, args: TdxModuleArgs): SeptResult => ({
  status,
  ext_err1: args.rcx ?? 0n,
  ext_err2: args.rdx ?? 0n,
});

const tdr = (td: TdxTd): bigint => BigInt(td.tdr_page);
const tdvpr = (vp: TdxVp): bigint => BigInt(vp.tdvpr_page);

/** Physical address with the KeyID in its top bits. */
export const mk_keyed_paddr = (hkid: number, page: number): bigint => (BigInt(hkid) << BigInt(KEYID_SHIFT)) | BigInt(page);

// ---- the TD

export const tdh_mng_create = (cpu: Cpu, td: TdxTd, hkid: number): Software<bigint> =>
  giving(cpu, td.tdr_page, TDH.MNG_CREATE, { rcx: tdr(td), rdx: BigInt(hkid) });

export const tdh_mng_key_config = (cpu: Cpu, td: TdxTd): Software<bigint> => seamcall(cpu, TDH.MNG_KEY_CONFIG, { rcx: tdr(td) });

export const tdh_mng_addcx = (cpu: Cpu, td: TdxTd, tdcs_page: number): Software<bigint> =>
  giving(cpu, tdcs_page, TDH.MNG_ADDCX, { rcx: BigInt(tdcs_page), rdx: tdr(td) });

export function* tdh_mng_init(
  cpu: Cpu,
  td: TdxTd,
  td_params: number,
): Software<{ readonly status: bigint; readonly extended_err: bigint }> {
  const args: TdxModuleArgs = { rcx: tdr(td), rdx: BigInt(td_params) };
  const status = yield* seamcall(cpu, TDH.MNG_INIT, args);
  return { status, extended_err: args.rcx ?? 0n };
}

export function* tdh_mng_rd(cpu: Cpu, td: TdxTd, field: bigint): Software<ValueResult> {
  const args: TdxModuleArgs = { rcx: tdr(td), rdx: field };
  const status = yield* seamcall(cpu, TDH.MNG_RD, args);
  return { status, data: args.r8 ?? 0n };
}

export const tdh_mng_vpflushdone = (cpu: Cpu, td: TdxTd): Software<bigint> =>
  seamcall(cpu, TDH.MNG_VPFLUSHDONE, { rcx: tdr(td) });

export const tdh_mng_key_freeid = (cpu: Cpu, td: TdxTd): Software<bigint> => seamcall(cpu, TDH.MNG_KEY_FREEID, { rcx: tdr(td) });

// ---- vCPUs

export const tdh_vp_create = (cpu: Cpu, td: TdxTd, vp: TdxVp): Software<bigint> =>
  giving(cpu, vp.tdvpr_page, TDH.VP_CREATE, { rcx: tdvpr(vp), rdx: tdr(td) });

export const tdh_vp_addcx = (cpu: Cpu, vp: TdxVp, tdcx_page: number): Software<bigint> =>
  giving(cpu, tdcx_page, TDH.VP_ADDCX, { rcx: BigInt(tdcx_page), rdx: tdvpr(vp) });

export const tdh_vp_init = (cpu: Cpu, vp: TdxVp, initial_rcx: bigint, x2apicid: number): Software<bigint> =>
  seamcall(cpu, TDH.VP_INIT | VERSION_1, { rcx: tdvpr(vp), rdx: initial_rcx, r8: BigInt(x2apicid) });

/** Runs the vCPU until it exits; all registers of `args` go in and come out. Neither retried nor translated. */
export function* tdh_vp_enter(cpu: Cpu, vp: TdxVp, args: TdxModuleArgs): Software<bigint> {
  const before = cpu.kernel.knobs['kernel.incoherentFlag'] === 'before';
  args.rcx = tdvpr(vp);
  if (before) cpu.cacheIncoherent = true;
  const status = yield* __seamcall_saved_ret(cpu, TDH.VP_ENTER, args);
  cpu.cacheIncoherent = true;
  return status;
}

export const tdh_vp_flush = (cpu: Cpu, vp: TdxVp): Software<bigint> => seamcall(cpu, TDH.VP_FLUSH, { rcx: tdvpr(vp) });

export function* tdh_vp_rd(cpu: Cpu, vp: TdxVp, field: bigint): Software<ValueResult> {
  const args: TdxModuleArgs = { rcx: tdvpr(vp), rdx: field };
  const status = yield* seamcall(cpu, TDH.VP_RD, args);
  return { status, data: args.r8 ?? 0n };
}

export const tdh_vp_wr = (cpu: Cpu, vp: TdxVp, field: bigint, data: bigint, mask: bigint): Software<bigint> =>
  seamcall(cpu, TDH.VP_WR, { rcx: tdvpr(vp), rdx: field, r8: data, r9: mask });

// ---- private memory. `gpa` is page-aligned, `level` counts from 0 (4 KiB)

const gpaAndLevel = (gpa: bigint, level: number): bigint => gpa | BigInt(level);

export function* tdh_mem_sept_add(cpu: Cpu, td: TdxTd, gpa: bigint, level: number, page: number): Software<SeptResult> {
  const args: TdxModuleArgs = { rcx: gpaAndLevel(gpa, level), rdx: tdr(td), r8: BigInt(page) };
  return sept(yield* giving(cpu, page, TDH.MEM_SEPT_ADD, args), args);
}

export function* tdh_mem_page_add(cpu: Cpu, td: TdxTd, gpa: bigint, page: number, source: number): Software<SeptResult> {
  const args: TdxModuleArgs = { rcx: gpa, rdx: tdr(td), r8: BigInt(page), r9: BigInt(source) };
  return sept(yield* giving(cpu, page, TDH.MEM_PAGE_ADD, args), args);
}

export function* tdh_mem_page_aug(cpu: Cpu, td: TdxTd, gpa: bigint, level: number, page: number): Software<SeptResult> {
  const args: TdxModuleArgs = { rcx: gpaAndLevel(gpa, level), rdx: tdr(td), r8: BigInt(page) };
  return sept(yield* giving(cpu, page, TDH.MEM_PAGE_AUG, args), args);
}

export function* tdh_mem_range_block(cpu: Cpu, td: TdxTd, gpa: bigint, level: number): Software<SeptResult> {
  const args: TdxModuleArgs = { rcx: gpaAndLevel(gpa, level), rdx: tdr(td) };
  return sept(yield* seamcall(cpu, TDH.MEM_RANGE_BLOCK, args), args);
}

export const tdh_mem_track = (cpu: Cpu, td: TdxTd): Software<bigint> => seamcall(cpu, TDH.MEM_TRACK, { rcx: tdr(td) });

export function* tdh_mem_page_remove(cpu: Cpu, td: TdxTd, gpa: bigint, level: number): Software<SeptResult> {
  const args: TdxModuleArgs = { rcx: gpaAndLevel(gpa, level), rdx: tdr(td) };
  return sept(yield* seamcall(cpu, TDH.MEM_PAGE_REMOVE, args), args);
}

// ---- measurement

export function* tdh_mr_extend(cpu: Cpu, td: TdxTd, gpa: bigint): Software<SeptResult> {
  const args: TdxModuleArgs = { rcx: gpa, rdx: tdr(td) };
  return sept(yield* seamcall(cpu, TDH.MR_EXTEND, args), args);
}

export const tdh_mr_finalize = (cpu: Cpu, td: TdxTd): Software<bigint> => seamcall(cpu, TDH.MR_FINALIZE, { rcx: tdr(td) });

// ---- physical memory

export function* tdh_phymem_page_reclaim(cpu: Cpu, page: number): Software<ReclaimResult> {
  const args: TdxModuleArgs = { rcx: BigInt(page) };
  const status = yield* seamcall(cpu, TDH.PHYMEM_PAGE_RECLAIM, args);
  return { status, tdx_pt: args.rcx ?? 0n, tdx_owner: args.rdx ?? 0n, tdx_size: args.r8 ?? 0n };
}

export const tdh_phymem_cache_wb = (cpu: Cpu, resume: boolean): Software<bigint> =>
  seamcall(cpu, TDH.PHYMEM_CACHE_WB, { rcx: resume ? 1n : 0n });

/** The TDR's lines are under the global KeyID. */
export const tdh_phymem_page_wbinvd_tdr = (cpu: Cpu, td: TdxTd): Software<bigint> =>
  tdh_phymem_page_wbinvd_hkid(cpu, cpu.kernel.tdx.globalKeyId, td.tdr_page);

export const tdh_phymem_page_wbinvd_hkid = (cpu: Cpu, hkid: number, page: number): Software<bigint> =>
  seamcall(cpu, TDH.PHYMEM_PAGE_WBINVD, { rcx: mk_keyed_paddr(hkid, page) });

/** Not exported to modules: the machine-check handler's question about a page. RCX is the page type. */
export function* tdh_phymem_page_rdmd(cpu: Cpu, page: number): Software<{ readonly status: bigint; readonly pageType: number }> {
  const args: TdxModuleArgs = { rcx: BigInt(page) };
  const status = yield* seamcall(cpu, TDH.PHYMEM_PAGE_RDMD, args);
  return { status, pageType: Number(args.rcx ?? 0n) };
}
