import { LIMIT, RESERVED_AREA, TDMR_INFO } from '../../spec/layouts.ts';
import type { Cpu } from '../cpu.ts';
import type { Tdmr, TdmrLimits } from './tdmr.ts';

/** Bytes from one TDMR_INFO to the next: the structure without its reserved areas already takes a whole alignment unit. */
export const tdmrInfoStride = (limits: TdmrLimits): number => {
  const unit = LIMIT.TDMR_INFO_ALIGNMENT;
  return Math.ceil((unit + RESERVED_AREA.SIZE * limits.max_reserved_per_tdmr) / unit) * unit;
};

/** Stores one TDMR_INFO structure by the CPU. */
export const writeTdmrInfo = (cpu: Cpu, at: number, tdmr: Tdmr): void => {
  const bytes = new Uint8Array(TDMR_INFO.SIZE);
  TDMR_INFO.BASE.setNumber(bytes, tdmr.base);
  TDMR_INFO.LENGTH.setNumber(bytes, tdmr.size);
  TDMR_INFO.PAMT_1G_BASE.setNumber(bytes, tdmr.pamt['1g'].base);
  TDMR_INFO.PAMT_1G_SIZE.setNumber(bytes, tdmr.pamt['1g'].size);
  TDMR_INFO.PAMT_2M_BASE.setNumber(bytes, tdmr.pamt['2m'].base);
  TDMR_INFO.PAMT_2M_SIZE.setNumber(bytes, tdmr.pamt['2m'].size);
  TDMR_INFO.PAMT_4K_BASE.setNumber(bytes, tdmr.pamt['4k'].base);
  TDMR_INFO.PAMT_4K_SIZE.setNumber(bytes, tdmr.pamt['4k'].size);
  for (const [i, area] of tdmr.reserved.entries()) {
    RESERVED_AREA.OFFSET.setNumber(bytes, area.base - tdmr.base, TDMR_INFO.RESERVED_AREAS.at(i));
    RESERVED_AREA.LENGTH.setNumber(bytes, area.size, TDMR_INFO.RESERVED_AREAS.at(i));
  }
  cpu.lp.storeBytes(at, bytes);
};
