/** The peers say what the core says, line for line, on random batches: otherwise a bench would compare different things. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HOST_KEY, KEY, machine, OTHER_KEY } from '../../bench/harness/machine.ts';
import { scramble } from '../../bench/harness/workload.ts';
import type { PeerMemory } from '../../bench/peers/model.ts';
import { NaiveMap } from '../../bench/peers/naive-map.ts';
import { TypedArrays } from '../../bench/peers/typed-arrays.ts';
import { asPeer } from '../../bench/suites/peers.ts';

const BASE = 2 ** 30;
const PAGES = 4;
const LINES = PAGES * 64;
const KEYS = [HOST_KEY, KEY, OTHER_KEY];

type Step = { kind: keyof PeerMemory; line: number; lines: number; keyId: number; seed: number };

const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom<keyof PeerMemory>(
    'write',
    'write',
    'read',
    'read',
    'directWrite',
    'directWrite',
    'dmaRead',
    'wbinvd',
    'programKey',
  ),
  line: fc.nat(LINES - 1),
  lines: fc.oneof(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 60, max: 130 })),
  keyId: fc.constantFrom(...KEYS),
  seed: fc.nat(),
});

/** The answer of one step, as text. A read that stops leaves what it had read. */
function run(memory: PeerMemory, { kind, line, lines, keyId, seed }: Step): string {
  const pa = BASE + line * 64;
  const bytes = new Uint8Array(Math.min(lines, LINES - line) * 64);
  if (kind === 'wbinvd') memory.wbinvd();
  else if (kind === 'programKey') memory.programKey(keyId === HOST_KEY ? KEY : keyId);
  else if (kind === 'write' || kind === 'directWrite') memory[kind](pa, keyId, scramble(bytes, seed));
  else return `${memory[kind](pa, keyId, bytes)} ${Buffer.from(bytes).toString('hex')}`;
  return 'done';
}

/** Every line through every KeyID at the controller: the last look, since it poisons what it may not read. */
function lastLook(memory: PeerMemory): string[] {
  memory.wbinvd();
  return KEYS.flatMap((keyId) =>
    Array.from({ length: LINES }, (_, line) => run(memory, { kind: 'dmaRead', line, lines: 1, keyId, seed: 0 })),
  );
}

const PEERS: readonly [string, () => PeerMemory][] = [
  ['naive map', () => new NaiveMap()],
  ['typed arrays', () => new TypedArrays(BASE, PAGES * 4096)],
];

describe.each(PEERS)('%s', (_, create) => {
  it('gives the same answers as the core to every batch, and the same memory in the end', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 40 }), (steps) => {
        const core = asPeer(machine({ packages: 1, homes: [] }));
        const peer = create();
        for (const keyId of [KEY, OTHER_KEY]) peer.programKey(keyId);
        for (const one of steps) expect(run(peer, one)).toBe(run(core, one));
        expect(lastLook(peer)).toEqual(lastLook(core));
      }),
      { numRuns: 120, seed: 7 },
    );
  });

  it('drains dirty aliases in ascending KeyID: the highest stays', () => {
    const core = asPeer(machine({ packages: 1, homes: [] }));
    for (const memory of [core, create()]) {
      if (memory !== core) for (const keyId of [KEY, OTHER_KEY]) memory.programKey(keyId);
      memory.directWrite(BASE, KEY, new Uint8Array(64));
      memory.write(BASE, OTHER_KEY, new Uint8Array(64).fill(2));
      memory.write(BASE, KEY, new Uint8Array(64).fill(1));
      memory.wbinvd();
      const out = new Uint8Array(64);
      // The store under the other key found the wrong MAC: it poisoned the line, and its write-back carries the poison.
      expect(memory.dmaRead(BASE, OTHER_KEY, out)).toBe(1);
      memory.directWrite(BASE, HOST_KEY, new Uint8Array(64).fill(3));
      memory.write(BASE, HOST_KEY, new Uint8Array(64).fill(4));
      expect(memory.dmaRead(BASE, HOST_KEY, out)).toBe(0);
      expect(out[0]).toBe(4);
    }
  });
});
