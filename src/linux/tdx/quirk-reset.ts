import type { Cpu } from '../cpu.ts';
import { PAGE_SIZE } from '../mm/memblock.ts';

type ResetKnob = 'kernel.pamtReset' | 'kernel.pageReset';

const wanted = (cpu: Cpu, knob: ResetKnob): boolean => {
  const value = cpu.kernel.knobs[knob];
  return value === 'always' || (value === 'on-erratum' && cpu.kernel.tdx.hasPartialWriteBug);
};

/** Turns private lines back to KeyID 0 by full-line direct stores of zeros. The caches must hold nothing private of the range. */
export const tdx_reset_paddr = (cpu: Cpu, base: number, size: number): void => {
  const event = cpu.lp.beginEvent('memory', 'reset private memory (MOVDIR64B)', { base: `0x${base.toString(16)}`, bytes: size });
  cpu.lp.movdir64bFill(base, size);
  cpu.kernel.counters.resetLines += size / 64;
  for (let page = base; page < base + size && cpu.kernel.tdx.privatePages; page += PAGE_SIZE)
    cpu.kernel.tdx.privatePages.delete(page);
  cpu.lp.endEvent(event);
};

/** tdx_quirk_reset_page(): a page that the module gave back. Only parts with the partial-write erratum need it. */
export const tdx_quirk_reset_page = (cpu: Cpu, page: number): void => {
  if (wanted(cpu, 'kernel.pageReset')) tdx_reset_paddr(cpu, page, PAGE_SIZE);
  else cpu.kernel.tdx.privatePages?.delete(page);
};

/** tdmr_quirk_reset_pamt(): one PAMT after a failed initialisation. */
export const tdx_quirk_reset_pamt = (cpu: Cpu, base: number, size: number): void => {
  if (wanted(cpu, 'kernel.pamtReset')) tdx_reset_paddr(cpu, base, size);
};
