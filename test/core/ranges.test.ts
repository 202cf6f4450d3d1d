/** Range operations on random ranges, with the bytes in a JavaScript array or in a buffer of the core: as the oracle answers. */
import { describe, expect, it } from 'vitest';
import { type CoreBuffer, type CoreConfig, createCore, type DirectWrite, type MemoryCore } from '../../bindings/index.ts';
import { EagerCore } from '../oracle/eager-core.ts';
import { faultOf, hex } from './both.ts';
import { bytesOf, CONFIG, GIB, LINE, PRIVATE, PRIVATE2, randomStream, SHARED, TME } from './shared/engine.ts';

const PAGE = 4096;
/** Three pages on each side of a border between homes. */
const FIRST = GIB - 3 * PAGE;
const PAGES = 6;
const END = FIRST + PAGES * PAGE;
const KEY_IDS = [TME, SHARED, PRIVATE, PRIVATE2];
const KINDS: readonly DirectWrite[] = ['nt-store', 'uc-store', 'dma', 'movdir64b'];
const CI: Partial<CoreConfig> = { integrity: 'Ci', sharedIntegrity: true };

/** A place in the machine: where the bytes of a range operation lie. */
type Place = (core: MemoryCore, length: number) => CoreBuffer;
const PLACES: Record<string, Place> = {
  'a JavaScript array': (_, length) => ({ u8: new Uint8Array(length) }),
  'a buffer of the core': (core, length) => core.buffer(length),
};

interface Range {
  readonly pa: number;
  readonly length: number;
  readonly keyId: number;
  readonly pkg: number;
  readonly value: number;
}

type Act = (core: MemoryCore, range: Range, place: Place) => unknown;

function taken(core: MemoryCore, status: number, pa: number, { u8: out }: CoreBuffer): unknown {
  if (status === 0) return hex(out);
  return [faultOf(core), hex(out.subarray(0, Math.max(0, core.fault.pa - pa)))];
}

function given(core: MemoryCore, place: Place, value: number, length: number): Uint8Array {
  const { u8 } = place(core, length);
  u8.set(bytesOf(value, length));
  return u8;
}

const whole = (length: number): number => length - (length % LINE);
const lineOf = (pa: number): number => pa - (pa % LINE);

const ACTS: readonly Act[] = [
  (core, { pa, length, keyId, pkg, value }, place) => {
    const kind = KINDS[value % 3]!;
    return core.directWrite(kind, pkg, pa, keyId, given(core, place, value, length));
  },
  (core, { pa, length, keyId, pkg, value }, place) =>
    core.directWrite('movdir64b', pkg, lineOf(pa), keyId, given(core, place, value, whole(length))),
  (core, { pa, length, keyId }, place) => {
    const out = place(core, length);
    return taken(core, core.dmaReadInto(pa, keyId, out.u8), pa, out);
  },
  (core, { pa, length, keyId }) => (core.check(pa, length, keyId) === 0 ? 0 : faultOf(core)),
  (core, { pa, length, keyId, pkg, value }, place) => core.write(pkg, pa, keyId, given(core, place, value, length)),
  (core, { pa, length, keyId, pkg }, place) => {
    const out = place(core, length);
    return taken(core, core.read(pkg, pa, keyId, out.u8), pa, out);
  },
  (core, { pa, length, keyId, pkg, value }) =>
    core.fill(pkg, pa - (pa % 8), length - (length % 8), keyId, BigInt(value % 3) * 0x0101010101010101n),
  (core, { pa, keyId, pkg, value }) =>
    core.movdir64bFill(pkg, pa - (pa % PAGE), 64 * (1 + (value % 2)), keyId, BigInt(value % 3) * 0x0101010101010101n),
  (core, { pkg }) => core.wbinvd(pkg),
  (core, { pkg }) => core.wbnoinvd(pkg),
  (core, { pa, length, keyId }) => core.clflush(lineOf(pa), length >> 6, keyId),
  (core, { pa, keyId, value }) => core.programKey(pa >= GIB ? 1 : 0, keyId || SHARED, value % 4 === 0 ? 'clear' : 'random'),
  (core, { pa, value }) => core.flip(lineOf(pa), value % 2 === 0 ? 'poison' : 'data', value % 2 === 0 ? 0 : value),
];

/** How often each of them comes up. */
const DICE = [0, 0, 0, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 5, 5, 6, 6, 6, 7, 7, 8, 8, 9, 10, 11, 12];

function draw(next: (below: number) => number): { act: Act; range: Range } {
  const page = FIRST + next(PAGES) * PAGE;
  const pa = page + [0, 0, 0, 64 * next(64), next(PAGE)][next(5)]!;
  const length = [PAGE, PAGE, 2 * PAGE, 4 * PAGE, 600 + next(PAGE), 64 * next(128), next(200)][next(7)]!;
  const range = { pa, length: Math.min(length, END - pa), keyId: KEY_IDS[next(4)]!, pkg: next(2), value: next(256) };
  return { act: ACTS[DICE[next(DICE.length)]!]!, range };
}

/** All that can be seen of the pages. */
function remains(core: MemoryCore): unknown {
  const seen: unknown[] = [];
  for (let pa = FIRST; pa < END; pa += LINE) {
    const copies = core.cachedCopies(pa).sort((a, b) => a.package - b.package || a.keyId - b.keyId);
    const { tdBit, poison, keyId, generation, writer, tampered } = core.inspect(pa);
    const held = copies.map((c) => [c.package, c.keyId, c.dirty, c.poison, c.writer, hex(c.data)].join());
    seen.push([pa, tdBit, poison, keyId, generation, writer, tampered, hex(core.plaintext(pa)), ...held].join(' '));
  }
  return seen;
}

describe('ranges answer as the eager oracle does, wherever the bytes lie', () => {
  it.each(
    Object.keys(PLACES).flatMap((place) =>
      (
        [
          CI,
          { ...CI, provenance: false },
          { integrity: 'Li' },
          { ...CI, crypto: 'eager' },
          { ...CI, cacheSets: 4, cacheWays: 2 },
        ] as const
      ).map((knobs, i) => ({ place, knobs: knobs as Partial<CoreConfig>, seed: 10 * place.length + i })),
    ),
  )('$place, seed $seed', ({ place, knobs, seed }) => {
    const config = { ...CONFIG, ...knobs };
    const [core, oracle] = [createCore(config), new EagerCore(config)];
    const random = randomStream(seed);
    const next = (below: number): number => random() % below;
    for (let step = 1; step <= 60; step++) {
      const { act, range } = draw(next);
      const answers = [core, oracle].map((one) => {
        one.setEvent(knobs.provenance === false ? 0 : step);
        return act(one, range, PLACES[place]!);
      });
      expect(answers[0], `step ${step}, ${JSON.stringify(range)}`).toEqual(answers[1]);
    }
    expect(remains(core)).toEqual(remains(oracle));
  });
});
