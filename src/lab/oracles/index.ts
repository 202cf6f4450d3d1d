import type { Probe, Range } from '../../platform/probe.ts';
import type { ConfidentialityWatch } from './confidentiality.ts';
import type { Finding } from './finding.ts';
import { auditLedger, Ledger } from './ledger.ts';
import { auditPamt, type TdmrRegion } from './pamt.ts';
import { auditFreeMemory } from './poison.ts';

export { ConfidentialityWatch } from './confidentiality.ts';
export type { Finding } from './finding.ts';
export { auditLedger, LEDGER_LEAVES, Ledger } from './ledger.ts';
export type { OwnedPage } from './page-book.ts';
export { auditPamt, type TdmrRegion } from './pamt.ts';
export { auditFreeMemory } from './poison.ts';

/** What a run knows about itself and oracles may not guess. Leave out what does not apply; that oracle then does not run. */
export interface OracleInput {
  /** TDs may still run: pages and KeyIDs in use are no leaks. Default false. */
  readonly live?: boolean;
  /** The TDMRs as configured; leave out once the PAMT has gone back to the kernel. */
  readonly tdmrs?: readonly TdmrRegion[];
  /** What the OS allocator regards as free. */
  readonly free?: readonly Range[];
  /** A watch that was there from the start of the run. */
  readonly confidentiality?: ConfidentialityWatch;
  /** Where to look for secrets on the memory bus. Default: all memory that was ever a TD's, by the ledger. */
  readonly secretPages?: readonly Range[];
}

export interface OracleReport {
  readonly findings: readonly Finding[];
  /** How much each oracle looked at: an oracle that saw nothing proves nothing. */
  readonly checked: Readonly<Record<string, number>>;
}

const guestMemory = ({ book }: Ledger): Range[] => [...book.guestMemory].map(([base, size]) => ({ base, size }));

/** Runs every oracle that has its input. Looks at the machine through the probe alone, and changes nothing. */
export function runOracles(probe: Probe, input: OracleInput = {}): OracleReport {
  const checked: Record<string, number> = {};
  const ledger = new Ledger(probe);
  const { live, tdmrs, free, confidentiality, secretPages } = input;
  const findings = [
    ...auditLedger(ledger, live),
    ...(tdmrs ? auditPamt(probe, ledger, tdmrs, checked) : []),
    ...(free ? auditFreeMemory(probe, free, checked) : []),
    ...(confidentiality ? confidentiality.findings(secretPages ?? guestMemory(ledger)) : []),
  ];
  checked.calls = ledger.calls;
  return { findings, checked: { ...checked, ...confidentiality?.checked } };
}
