/** What a run has found, and how the shards' findings become one. */
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { StressMisuse } from './errors.ts';
import type { StressFault } from './faults.ts';
import type { StressOperation } from './program.ts';
import type { StressShard } from './shards.ts';

export interface StressResult {
  /** Null for the sum of all shards. */
  readonly shard: StressShard | null;
  readonly operations: number;
  readonly byOperation: Readonly<Record<StressOperation, number>>;
  /** Machine checks, aborted device reads and poisoned walks. */
  readonly faults: Readonly<Record<StressFault, number>>;
  /** Hash of every architectural answer, in order; lower-case hex. */
  readonly digest: string;
  /** Hash of what provenance says about every fault; with provenance off it never changes. */
  readonly provenanceDigest: string;
  /** Bytes of Wasm memory in use; of all shards together in a sum. */
  readonly memoryUsed: number;
  /** Model counters by name (spec/counters.json); of a run out of memory without what a WBINVD had yet to write back. */
  readonly counters: Readonly<Record<string, number>>;
}

function addUp<Name extends string>(parts: readonly Readonly<Record<Name, number>>[]): Record<Name, number> {
  const sum = {} as Record<Name, number>;
  for (const part of parts) {
    for (const [name, value] of Object.entries(part) as [Name, number][]) sum[name] = (sum[name] ?? 0) + value;
  }
  return sum;
}

const total = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);

/** SHA-256 over {operations u64, digest u64} of each shard, little-endian, in the order of the shards. */
function chain(results: readonly StressResult[], digest: (result: StressResult) => string): string {
  const view = new DataView(new ArrayBuffer(results.length * 16));
  results.forEach((result, i) => {
    view.setBigUint64(i * 16, BigInt(result.operations), true);
    view.setBigUint64(i * 16 + 8, BigInt(`0x${digest(result)}`), true);
  });
  return bytesToHex(sha256(new Uint8Array(view.buffer)));
}

/**
 * The sum of the shards' results, in any order; it does not depend on who ran them.
 * Throws {@link StressMisuse} `SHARD` unless every shard is there once.
 */
export function mergeStressResults(results: readonly StressResult[]): StressResult {
  const ordered = [...results].sort((a, b) => (a.shard?.index ?? 0) - (b.shard?.index ?? 0));
  ordered.forEach(({ shard }, i) => {
    if (shard?.index !== i || shard.of !== ordered.length)
      throw new StressMisuse('SHARD', `${ordered.length} results do not make up one program: give every shard once`);
  });
  if (ordered.length === 0) throw new StressMisuse('SHARD', 'no results: give every shard once');
  return {
    shard: null,
    operations: total(ordered.map(({ operations }) => operations)),
    byOperation: addUp(ordered.map(({ byOperation }) => byOperation)),
    faults: addUp(ordered.map(({ faults }) => faults)),
    digest: chain(ordered, ({ digest }) => digest),
    provenanceDigest: chain(ordered, ({ provenanceDigest }) => provenanceDigest),
    memoryUsed: total(ordered.map(({ memoryUsed }) => memoryUsed)),
    counters: addUp(ordered.map(({ counters }) => counters)),
  };
}
