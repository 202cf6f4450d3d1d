/** What an oracle objects to. */
export interface Finding {
  readonly oracle: 'ledger' | 'pamt' | 'confidentiality' | 'poison';
  /** `violation`: it is wrong now. `latent`: nothing has happened yet, and the next access may make it happen. */
  readonly severity: 'violation' | 'latent';
  readonly text: string;
  /** Physical address in bytes. */
  readonly pa?: number;
  /** Id of the event to blame. */
  readonly event?: number;
}

export const hex = (value: number | bigint): string => `0x${value.toString(16)}`;

/** "3 pages at 0x1000, 0x2000, …": the first few of many. */
export const listed = (addresses: readonly number[], noun: string): string => {
  const some = addresses.slice(0, 3).map(hex).join(', ');
  const count = addresses.length === 1 ? `1 ${noun}` : `${addresses.length} ${noun}s`;
  return `${count} at ${some}${addresses.length > 3 ? ', …' : ''}`;
};
