import type { Software } from '../../platform/index.ts';
import type { Cpu } from '../cpu.ts';
import { PAGE_SIZE } from '../mm/memblock.ts';
import { wbinvd_on_all_cpus } from '../smp.ts';
import { tdx_quirk_reset_pamt } from './quirk-reset.ts';
import { pamtRanges, type Tdmr } from './tdmr.ts';

const OWNER = 'PAMT';

export const allocPamt = (cpu: Cpu, size: number, nid: number): number | null =>
  cpu.kernel.pages.alloc_contig_pages(cpu, size / PAGE_SIZE, nid, OWNER);

export const freePamt = (cpu: Cpu, base: number, size: number): void =>
  cpu.kernel.pages.free_contig_range(base, size / PAGE_SIZE);

export const tdmrs_free_pamt_all = (cpu: Cpu, tdmrs: readonly Tdmr[]): void => {
  for (const { base, size } of pamtRanges(tdmrs)) freePamt(cpu, base, size);
};

/**
 * PAMTs may already have been written by the module. Its lines leave the caches before the pages go back, and become KeyID 0 again
 * where a partial write could hurt; elsewhere nobody needs to worry about integrity checks: KeyID 0 has none.
 */
export function* tdmrs_reset_pamt_all(cpu: Cpu, tdmrs: readonly Tdmr[]): Software {
  if (cpu.kernel.knobs['kernel.flushOnInitError'] === 'on') yield* wbinvd_on_all_cpus(cpu);
  for (const { base, size } of pamtRanges(tdmrs)) tdx_quirk_reset_pamt(cpu, base, size);
}
