/** The counters of spec/counters.json that the law itself defines; the others count the engine's own work. */

export const LAW_COUNTERS = [
  'tdBitChecks',
  'tdBitMismatches',
  'macChecks',
  'macMismatches',
  'poisonCreated',
  'poisonConsumed',
  'poisonSilent',
  'controllerReads',
  'controllerWrites',
  'partialWrites',
  'writeBacks',
  'linesWritten',
  'linesRead',
  'evictions',
  'wbinvdLines',
  'clflushLines',
  'movdir64bLines',
  'snoops',
  'speculativeLoads',
  'displacements',
] as const;

export type Tally = Record<(typeof LAW_COUNTERS)[number], number>;

export function newTally(): Tally {
  return Object.fromEntries(LAW_COUNTERS.map((name) => [name, 0])) as Tally;
}
