import { EINVAL, ENOMEM, ENOSPC } from '../../spec/errno.ts';
import { type MemblockRegion, PAGE_SIZE } from '../mm/memblock.ts';

const TDMR_ALIGNMENT = 2 ** 30;
/** Page shifts of the three PAMT levels, in the order in which they share one block. */
const LEVEL_SHIFT = { '4k': 12, '2m': 21, '1g': 30 } as const;
type Level = keyof typeof LEVEL_SHIFT;
export const PAMT_LEVELS: readonly Level[] = ['4k', '2m', '1g'];
/** Warn when fewer TDMRs than this stay unused. */
const TDMR_NR_WARN = 4;

/** Bytes, half open. */
export interface Span {
  readonly base: number;
  readonly size: number;
}

/** A TD memory region with its PAMTs and the parts of it that the module must not use. */
export interface Tdmr extends Span {
  readonly pamt: Readonly<Record<Level, Span>>;
  /** Absolute addresses, ascending. */
  readonly reserved: readonly Span[];
}

/** struct tdx_sys_info_tdmr. */
export interface TdmrLimits {
  readonly max_tdmrs: number;
  readonly max_reserved_per_tdmr: number;
  readonly pamt_4k_entry_size: number;
  readonly pamt_2m_entry_size: number;
  readonly pamt_1g_entry_size: number;
}

/** What construct_tdmrs() needs from the kernel around it. */
export interface TdmrEnvironment {
  /** `size` bytes near node `nid`; null when there are none. */
  allocPamt(size: number, nid: number): number | null;
  freePamt(base: number, size: number): void;
  warn(text: string, facts: Readonly<Record<string, string | number>>): void;
}

export type TdmrResult =
  | { readonly errno: 0; readonly tdmrs: readonly Tdmr[] }
  | { readonly errno: number; readonly tdmrs: readonly [] };

const failed = (errno: number): TdmrResult => ({ errno, tdmrs: [] });
const endOf = ({ base, size }: Span): number => base + size;
const alignUp = (value: number, alignment: number): number => Math.ceil(value / alignment) * alignment;
const alignDown = (value: number, alignment: number): number => value - (value % alignment);
const hex = (value: number): string => `0x${value.toString(16)}`;

/**
 * TDMRs over all memory regions (ascending, disjoint), their PAMTs, their reserved areas: 0, -ENOSPC, -ENOMEM or -EINVAL.
 * On an error no PAMT stays allocated.
 */
export const construct_tdmrs = (regions: readonly MemblockRegion[], limits: TdmrLimits, env: TdmrEnvironment): TdmrResult => {
  const spans = fill_out_tdmrs(regions, limits.max_tdmrs, env);
  if (!spans) return failed(-ENOSPC);
  const withPamt = tdmrs_set_up_pamt_all(spans, regions, limits, env);
  if (!withPamt) return failed(-ENOMEM);
  const tdmrs: Tdmr[] = [];
  for (const tdmr of withPamt) {
    const reserved = tdmr_populate_rsvd_areas(tdmr, regions, withPamt, limits.max_reserved_per_tdmr, env);
    if (typeof reserved === 'number') {
      for (const { pamt } of withPamt) env.freePamt(pamt['4k'].base, pamtSize(pamt));
      return failed(reserved);
    }
    tdmrs.push({ ...tdmr, reserved });
  }
  return { errno: 0, tdmrs };
};

/** Covers the regions with 1 GiB-aligned TDMRs, one for each piece that the TDMRs before it left; null when they run out. */
export const fill_out_tdmrs = (
  regions: readonly MemblockRegion[],
  max_tdmrs: number,
  env: Pick<TdmrEnvironment, 'warn'>,
): Span[] | null => {
  const tdmrs: Span[] = [];
  for (const region of regions) {
    const covered = tdmrs.length > 0 ? endOf(tdmrs.at(-1)!) : 0;
    const end = alignUp(region.end, TDMR_ALIGNMENT);
    if (end <= covered) continue;
    const base = Math.max(alignDown(region.start, TDMR_ALIGNMENT), covered);
    if (tdmrs.length >= max_tdmrs) {
      env.warn('initialization failed: TDMRs exhausted.', { max_tdmrs });
      return null;
    }
    tdmrs.push({ base, size: end - base });
  }
  if (max_tdmrs - tdmrs.length < TDMR_NR_WARN) {
    env.warn(`consumed TDMRs reaching limit: ${tdmrs.length} used out of ${max_tdmrs}`, { used: tdmrs.length, max_tdmrs });
  }
  return tdmrs;
};

type TdmrWithPamt = Omit<Tdmr, 'reserved'>;

/** Bytes of the one block that holds the PAMTs of all levels. */
export const pamtSize = (pamt: Tdmr['pamt']): number => PAMT_LEVELS.reduce((sum, level) => sum + pamt[level].size, 0);

/** Does a PAMT of these TDMRs cover the address? */
export const is_pamt_page = (tdmrs: readonly Tdmr[], pa: number): boolean =>
  pamtRanges(tdmrs).some(({ base, size }) => pa >= base && pa < base + size);

/** The block of each TDMR's PAMTs. */
export const pamtRanges = (tdmrs: readonly Tdmr[]): Span[] =>
  tdmrs.map(({ pamt }) => ({ base: pamt['4k'].base, size: pamtSize(pamt) }));

const tdmrs_set_up_pamt_all = (
  spans: readonly Span[],
  regions: readonly MemblockRegion[],
  limits: TdmrLimits,
  env: TdmrEnvironment,
): TdmrWithPamt[] | null => {
  const done: TdmrWithPamt[] = [];
  for (const span of spans) {
    const pamt = tdmr_set_up_pamt(span, regions, limits, env);
    if (!pamt) {
      for (const tdmr of done) env.freePamt(tdmr.pamt['4k'].base, pamtSize(tdmr.pamt));
      return null;
    }
    done.push({ ...span, pamt });
  }
  return done;
};

const tdmr_set_up_pamt = (
  tdmr: Span,
  regions: readonly MemblockRegion[],
  limits: TdmrLimits,
  env: TdmrEnvironment,
): Tdmr['pamt'] | null => {
  const sizes = PAMT_LEVELS.map((level) =>
    alignUp((tdmr.size / 2 ** LEVEL_SHIFT[level]) * limits[`pamt_${level}_entry_size`], PAGE_SIZE),
  );
  const base = env.allocPamt(sizes[0]! + sizes[1]! + sizes[2]!, tdmr_get_nid(tdmr, regions, env));
  if (base === null) return null;
  return {
    '4k': { base, size: sizes[0]! },
    '2m': { base: base + sizes[0]!, size: sizes[1]! },
    '1g': { base: base + sizes[0]! + sizes[1]!, size: sizes[2]! },
  };
};

/** The node of the first region that ends behind the TDMR's base, wherever most of the TDMR is. */
const tdmr_get_nid = (tdmr: Span, regions: readonly MemblockRegion[], env: TdmrEnvironment): number => {
  const region = regions.find(({ end }) => end > tdmr.base);
  if (region) return region.nid;
  env.warn(`TDMR ${describe(tdmr)}: no memory region, using node 0 for its PAMT`, { base: hex(tdmr.base) });
  return 0;
};

/** Holes and PAMTs inside the TDMR, ascending; -EINVAL or -ENOSPC when they cannot be told to the module. */
const tdmr_populate_rsvd_areas = (
  tdmr: Span,
  regions: readonly MemblockRegion[],
  all: readonly TdmrWithPamt[],
  max: number,
  env: TdmrEnvironment,
): Span[] | number => {
  const areas: Span[] = [];
  for (const area of [...holesOf(tdmr, regions), ...pamtsIn(tdmr, all)]) {
    if (area.base % PAGE_SIZE !== 0 || area.size % PAGE_SIZE !== 0) {
      env.warn(`TDMR ${describe(tdmr)}: reserved area is not page-aligned`, { base: hex(area.base), size: hex(area.size) });
      return -EINVAL;
    }
    if (areas.length >= max) {
      env.warn(`initialization failed: TDMR ${describe(tdmr)}: reserved areas exhausted.`, { base: hex(tdmr.base), max });
      return -ENOSPC;
    }
    areas.push(area);
  }
  areas.sort((a, b) => a.base - b.base);
  if (areas.some((area, i) => i > 0 && area.base < endOf(areas[i - 1]!)))
    env.warn(`TDMR ${describe(tdmr)}: reserved areas overlap`, { base: hex(tdmr.base) });
  return areas;
};

const holesOf = (tdmr: Span, regions: readonly MemblockRegion[]): Span[] => {
  const holes: Span[] = [];
  let covered = tdmr.base;
  for (const { start, end } of regions) {
    if (start >= endOf(tdmr)) break;
    if (end <= tdmr.base) continue;
    if (start > covered) holes.push({ base: covered, size: start - covered });
    covered = end;
  }
  if (covered < endOf(tdmr)) holes.push({ base: covered, size: endOf(tdmr) - covered });
  return holes;
};

const pamtsIn = (tdmr: Span, all: readonly TdmrWithPamt[]): Span[] =>
  all.flatMap(({ pamt }) => {
    const base = Math.max(pamt['4k'].base, tdmr.base);
    const end = Math.min(pamt['4k'].base + pamtSize(pamt), endOf(tdmr));
    return base < end ? [{ base, size: end - base }] : [];
  });

const describe = (tdmr: Span): string => `[${hex(tdmr.base)}, ${hex(endOf(tdmr))})`;
