/** Keys that come and go by the thousands: the records of those that no line names are used again. */
import { describe, expect, it } from 'vitest';
import type { CoreConfig } from '../../bindings/index.ts';
import { ENGINES, hex } from './both.ts';
import { bytesOf, type Engine, GIB, LINE, Machine, PRIVATE, PRIVATE2, SHARED, TME } from './shared/engine.ts';

describe('keys that come and go by the thousands', () => {
  const SCRATCH = 2 ** 35;
  const MODES = ['random', 'no-encrypt', 'direct', 'random', 'clear'] as const;
  /** Every so often a line stays behind under the key of the moment: written, dirty in a cache, or behind a WBINVD. */
  function story(engine: Engine, knobs: Partial<CoreConfig>): unknown[] {
    const { core } = new Machine(engine, knobs).programAll();
    const kept: number[] = [];
    const onTheWay: unknown[] = [];
    for (let i = 0; i < 5000; i++) {
      const keyId = [SHARED, PRIVATE, PRIVATE2][i % 3]!;
      core.mailbox.u8.set(bytesOf(i & 0xff));
      core.programKey(i & 1, keyId, MODES[i % 5]!);
      if (i % 97 !== 0) continue;
      const pa = (i & 1) * GIB + i * LINE;
      kept.push(pa);
      core.mailbox.u8.set(bytesOf(i % 251));
      if (i % 4 < 2) core.movdir64b(0, pa, keyId);
      else core.store(0, pa, LINE, keyId);
      if (i % 4 === 3) core.wbinvd(0);
      // A line that changes its key each time: the old ones are free to be used again.
      core.movdir64b(0, SCRATCH, keyId);
      onTheWay.push(core.capture(SCRATCH));
    }
    for (const keyId of [PRIVATE, PRIVATE2]) {
      core.mailbox.u8.set(bytesOf(77));
      core.programKey(0, keyId, 'direct');
    }
    core.movdir64b(0, SCRATCH, PRIVATE);
    onTheWay.push(core.check(SCRATCH, LINE, PRIVATE2), core.inspect(SCRATCH));
    const before = kept.map((pa) => [core.inspect(pa), core.capture(pa), hex(core.plaintext(pa)), core.cachedCopies(pa)]);
    core.warmReset();
    const after = kept.map((pa) => [core.inspect(pa), core.capture(pa), hex(core.plaintext(pa))]);
    return [onTheWay, before, after, kept.map((pa) => core.check(pa, LINE, TME))];
  }

  it.each([
    {},
    { aesBits: 256, integrity: 'Li' },
    { unprogrammedKey: 'fault' },
    { crypto: 'eager', cacheSets: 2, cacheWays: 2 },
  ] as const)('lines know the key that they were written under: %j', (knobs) => {
    const [oracle, core] = ENGINES.map((engine) => story(engine, knobs));
    expect(core).toEqual(oracle);
  });
});
