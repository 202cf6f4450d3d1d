import type { Kernel } from '../linux/index.ts';
import type { Machine } from './machine.ts';
import { type ConfidentialityWatch, type Finding, runOracles, type TdmrRegion } from './oracles/index.ts';

/** What the oracles say of a run, and how much they looked at. */
export interface Audit {
  readonly findings: readonly Finding[];
  readonly checked: Readonly<Record<string, number>>;
  /** One line for the verdict. */
  readonly summary: string;
}

const regionsOf = ({ tdx }: Kernel): TdmrRegion[] =>
  tdx.tdmrs.map(({ base, size, pamt, reserved }) => ({ base, size, reserved, pamt: [pamt['4k'], pamt['2m'], pamt['1g']] }));

/** Asks every oracle about the machine as it stands now. */
export function audit(machine: Machine, watch: ConfidentialityWatch, live: boolean): Audit {
  const { kernel, probe } = machine;
  const { findings, checked } = runOracles(probe, {
    live,
    confidentiality: watch,
    ...(kernel && { tdmrs: regionsOf(kernel), free: kernel.pages.freeRanges() }),
  });
  const amounts = Object.entries(checked).map(([what, count]) => `${count.toLocaleString('en')} ${what}`);
  return { findings, checked, summary: `no oracle objects (${amounts.join(', ')})` };
}
