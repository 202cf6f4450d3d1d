/** The same references put to the core's capacity model and to the plain one of test/oracle: counts and contents have to be equal. */
import type { CapacityModel, ReferenceCounts, ReferenceStream } from '../../bindings/index.ts';
import type { PlainCapacity } from '../../test/oracle/capacity.ts';
import { mix } from '../../test/oracle/package-cache.ts';
import { expectEqual } from '../harness/bench.ts';
import { PACKAGE } from '../harness/machine.ts';

/** Line number of reference n. */
function lineAt(stream: ReferenceStream, n: number): number {
  const { first, lines } = stream;
  if (stream.pattern === 'sequential') return first + ((n * (stream.stride ?? 1)) % lines);
  return first + Number(((mix(BigInt.asUintN(64, stream.seed + BigInt(n))) >> 32n) * BigInt(lines)) >> 32n);
}

function plainCounts(plain: PlainCapacity, stream: ReferenceStream, count: number): ReferenceCounts {
  const outcomes = { hit: 0, fill: 0, eviction: 0 };
  for (let n = 0; n < count; n++) outcomes[plain.reference(lineAt(stream, n), 0)] += 1;
  const { hit, fill, eviction } = outcomes;
  return { hits: hit, misses: fill + eviction, evictions: eviction };
}

/** Streams one after the other, `count` references each: a later one's victims tell what an earlier one touched last. */
export function expectAlike(
  model: CapacityModel,
  plain: PlainCapacity,
  streams: readonly ReferenceStream[],
  count: number,
): void {
  streams.forEach((stream, i) => {
    const found = model.run(PACKAGE, stream, count);
    const expected = plainCounts(plain, stream, count);
    for (const kind of ['hits', 'misses', 'evictions'] as const) {
      expectEqual(`${kind} of stream ${i}`, found[kind], expected[kind]);
    }
    expectEqual(`lines and their ways after stream ${i}`, model.digest(PACKAGE), plain.digest());
  });
}
