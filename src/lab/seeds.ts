import { type BootOptions, boot } from './boot.ts';

/** What an omitted step did under one seed (requirement S0-31). */
export type Outcome = 'harmless' | 'latent' | 'mc' | 'other';
export const OUTCOMES: readonly Outcome[] = ['harmless', 'latent', 'mc', 'other'];

export interface Classified {
  readonly outcome: Outcome;
  readonly detail: string;
  readonly traceHash: string;
}

/**
 * Runs the main job once. `mc`: it ended in a machine check; `latent`: it ended well, but PAMT lines are damaged and nobody has consumed one yet;
 * `harmless`: nothing is wrong; `other`: it failed in another way.
 */
export function classify(options: BootOptions): Classified {
  const { verdict, findings, traceHash } = boot({ ...options, counterfactual: false });
  const result = (outcome: Outcome, detail: string): Classified => ({ outcome, detail, traceHash });
  if (verdict.kind === 'mc') return result('mc', verdict.text);
  const other = findings.find(({ severity, oracle }) => severity === 'violation' && oracle !== 'pamt');
  if (other) return result('other', other.text);
  if (verdict.kind !== 'ok' && verdict.kind !== 'oracle') return result('other', verdict.text);
  const [damage] = findings;
  return damage ? result('latent', damage.text) : result('harmless', '');
}
