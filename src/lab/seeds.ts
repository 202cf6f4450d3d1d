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
 * Runs the main job once. `mc`: it ended in a machine check; `latent`: it ended well, but an oracle sees damage that nobody has read yet;
 * `harmless`: nothing is wrong; `other`: it failed in another way.
 */
export function classify(options: BootOptions): Classified {
  const report = boot({ ...options, counterfactual: false });
  const { verdict, findings, traceHash } = report;
  const latent = findings.filter(({ severity }) => severity === 'latent');
  if (verdict.kind === 'mc') return { outcome: 'mc', detail: verdict.text, traceHash };
  if (verdict.kind !== 'ok' && verdict.kind !== 'oracle') return { outcome: 'other', detail: verdict.text, traceHash };
  if (findings.length > latent.length) return { outcome: 'other', detail: findings[0]!.text, traceHash };
  return latent.length > 0
    ? { outcome: 'latent', detail: `${latent.length} × ${latent[0]!.text}`, traceHash }
    : { outcome: 'harmless', detail: '', traceHash };
}
