/** Ranges over pages that are partly cached, by one package or by two. */
import { describe, expect, it } from 'vitest';
import type { MemoryCore } from '../../bindings/index.ts';
import { ENGINES, faultOf, hex } from './both.ts';
import { bytesOf, LINE, Machine, PRIVATE } from './shared/engine.ts';

const PAGE = 4096;

describe('a range over a page that is partly cached', () => {
  type Scene = (machine: Machine) => void;
  const stored: Record<string, Scene> = {
    'one pattern': ({ core }) => core.movdir64bFill(0, 0, 64, PRIVATE, 7n),
    'one pattern and odd lines': (m) => {
      m.core.movdir64bFill(0, 0, 64, PRIVATE, 7n);
      for (const line of [0, 5, 40]) m.put(line * LINE, PRIVATE, bytesOf(line + 1));
    },
    bytes: ({ core }) => core.directWrite('movdir64b', 0, 0, PRIVATE, bytesOf(9, PAGE)),
    'bytes of two events': ({ core }) => {
      core.directWrite('movdir64b', 0, 0, PRIVATE, bytesOf(9, PAGE));
      core.setEvent(2);
      core.directWrite('movdir64b', 0, 20 * LINE, PRIVATE, bytesOf(8, 10 * LINE));
    },
    'bytes and poison': (m) => {
      m.core.directWrite('movdir64b', 0, 0, PRIVATE, bytesOf(9, PAGE));
      m.core.flip(33 * LINE, 'poison');
    },
  };
  const each = (act: (machine: Machine, pa: number) => void, lines: number): Scene => {
    return (machine) => {
      for (let i = 0; i < lines; i++) act(machine, 3 * i * LINE);
    };
  };
  const cached: Record<string, Scene> = {
    nothing: () => {},
    'a line loaded': each((m, pa) => m.load(0, pa, PRIVATE), 2),
    'a line stored': each((m, pa) => m.store(0, pa, PRIVATE, bytesOf(50)), 2),
    'a line stored elsewhere': each((m, pa) => m.store(1, pa, PRIVATE, bytesOf(51)), 2),
    'lines loaded': each((m, pa) => m.load(0, pa, PRIVATE), 20),
    'lines stored': each((m, pa) => m.store(0, pa, PRIVATE, bytesOf(52)), 20),
    'lines stored elsewhere': each((m, pa) => m.store(1, pa, PRIVATE, bytesOf(53)), 20),
    'lines loaded on both sides': each((m, pa) => void [m.load(0, pa, PRIVATE), m.load(1, pa + LINE, PRIVATE)], 20),
    'a pattern': ({ core }) => core.fill(0, 0, PAGE, PRIVATE, 11n),
    'a pattern elsewhere, and a line': (m) => {
      m.core.fill(1, 8 * LINE, 30 * LINE, PRIVATE, 12n);
      m.store(0, 60 * LINE, PRIVATE, bytesOf(54));
    },
  };
  const acts: Record<string, (core: MemoryCore) => unknown> = {
    read: (core) => {
      const out = new Uint8Array(PAGE);
      const status = core.read(0, 0, PRIVATE, out);
      return [status, status === 0 ? hex(out) : faultOf(core)];
    },
    'read a part': (core) => {
      const out = new Uint8Array(20 * LINE);
      return [core.read(0, 10 * LINE, PRIVATE, out), hex(out)];
    },
    write: (core) => core.write(0, 0, PRIVATE, bytesOf(60, PAGE)),
    'write a part': (core) => core.write(0, 10 * LINE + 8, PRIVATE, bytesOf(61, 40 * LINE)),
    fill: (core) => core.fill(0, 0, PAGE, PRIVATE, 13n),
    'fill a part': (core) => core.fill(0, 10 * LINE, 40 * LINE, PRIVATE, 7n),
    'write past the caches': (core) => core.directWrite('nt-store', 0, 4 * LINE, PRIVATE, bytesOf(62, 50 * LINE)),
    'read past the caches': (core) => {
      const out = new Uint8Array(PAGE);
      const status = core.dmaReadInto(0, PRIVATE, out);
      return [status, status === 0 ? hex(out) : faultOf(core)];
    },
    check: (core) => core.check(0, PAGE, PRIVATE),
  };

  it.each(Object.keys(stored).flatMap((dram) => Object.keys(cached).map((views) => [dram, views] as const)))(
    'in memory %s, in caches %s',
    (dram, views) => {
      for (const [name, act] of Object.entries(acts)) {
        const [oracle, core] = ENGINES.map((engine) => {
          const machine = new Machine(engine, { cacheSets: 0 }).programAll();
          const { core } = machine;
          core.setEvent(1);
          stored[dram]!(machine);
          core.setEvent(3);
          cached[views]!(machine);
          core.setEvent(4);
          const answer = act(core);
          const held: string[] = [];
          core.forEachCached(0, PAGE, (pa, { package: pkg, dirty, poison, writer, data }) => {
            held.push([pa, pkg, dirty, poison, writer, hex(data)].join());
          });
          held.sort();
          for (const pkg of [0, 1]) core.wbinvd(pkg);
          const left = Array.from({ length: 64 }, (_, line) => [core.inspect(line * LINE), hex(core.plaintext(line * LINE))]);
          return [answer, held, left];
        });
        expect(core, name).toEqual(oracle);
      }
    },
  );
});
