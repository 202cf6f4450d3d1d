/** Single operations on one line, called from JavaScript, in a seeded order: on 1 MiB, and on what the host's nearest cache holds. */
import { compileCore, instantiateCore } from '../../bindings/compile.ts';
import type { MemoryCore } from '../../bindings/index.ts';
import { type Bench, expectEqual, type Measurement, type Params } from '../harness/bench.ts';
import { EVENT, KEY, machine, OTHER_KEY, PACKAGE } from '../harness/machine.ts';
import type { Protocol } from '../harness/protocol.ts';
import { nanoseconds, sample } from '../harness/timing.ts';
import { GIB, LINE, shuffled } from '../harness/workload.ts';

const PA = GIB;
const LINES = 16384;
const NEAR_LINES = 256;
/** Lines of one sample. */
const SAMPLE = 4 * LINES;

/** A verb with its own loop, so that every call site sees one callee; a pass gives the `or` of all statuses. */
interface Verb {
  readonly name: string;
  readonly target: string | null;
  readonly direction: 'in' | 'out';
  pass(core: MemoryCore, addresses: Float64Array): number;
}

const VERBS: readonly Verb[] = [
  {
    name: 'line/write',
    target: '≤ 6 ns',
    direction: 'in',
    pass(core, addresses) {
      for (let i = 0; i < addresses.length; i++) core.movdir64b(PACKAGE, addresses[i]!, KEY);
      return 0;
    },
  },
  {
    name: 'line/cached-store',
    target: '≤ 6 ns',
    direction: 'in',
    pass(core, addresses) {
      let status = 0;
      for (let i = 0; i < addresses.length; i++) status |= core.store(PACKAGE, addresses[i]!, LINE, KEY);
      return status;
    },
  },
  {
    name: 'line/read',
    target: '≤ 6 ns',
    direction: 'out',
    pass(core, addresses) {
      let status = 0;
      for (let i = 0; i < addresses.length; i++) status |= core.dmaRead(addresses[i]!, LINE, KEY);
      return status;
    },
  },
  {
    name: 'line/cached-load',
    target: null,
    direction: 'out',
    pass(core, addresses) {
      let status = 0;
      for (let i = 0; i < addresses.length; i++) status |= core.load(PACKAGE, addresses[i]!, LINE, KEY);
      return status;
    },
  },
  {
    name: 'line/check',
    target: '≤ 6 ns',
    direction: 'out',
    pass(core, addresses) {
      let status = 0;
      for (let i = 0; i < addresses.length; i++) status |= core.check(addresses[i]!, LINE, KEY);
      return status;
    },
  },
];

/** Every line tells its own address, so that a store to the wrong line, or none at all, shows. */
function stamp(core: MemoryCore, verb: Verb, addresses: Float64Array): void {
  const one = new Float64Array(1);
  for (const pa of addresses) {
    core.mailbox.u64.fill(BigInt(pa), 0, LINE / 8);
    one[0] = pa;
    expectEqual('status of the store', verb.pass(core, one), 0);
  }
}

function writeBackAll(core: MemoryCore): void {
  for (let pkg = 0; pkg < core.config.packages; pkg++) core.wbinvd(pkg);
}

/** Whatever the passes wrote, they wrote as the event that was current last. */
function expectWriters(core: MemoryCore, bytes: number, event: number): void {
  writeBackAll(core);
  if (!core.config.provenance) return;
  core.forEachRun(PA, bytes, (_, __, state) => expectEqual('writer of the lines', state.writer, event));
}

function expectStamps(core: MemoryCore, addresses: Float64Array): void {
  writeBackAll(core);
  for (const pa of addresses) {
    const line = core.plaintext(pa);
    const words = new BigUint64Array(line.buffer, line.byteOffset, LINE / 8);
    expectEqual(`first word of ${pa}`, words[0], BigInt(pa));
    expectEqual(`last word of ${pa}`, words[7], BigInt(pa));
    expectEqual(`KeyID of ${pa}`, core.inspect(pa).keyId, KEY);
  }
}

/** What a read gives is the line's own; a line under another private key is refused. */
function expectReads(core: MemoryCore, verb: Verb, addresses: Float64Array): void {
  const one = new Float64Array(1);
  const moves = verb.name !== 'line/check';
  for (const pa of addresses) {
    one[0] = pa;
    core.mailbox.u64.fill(0n, 0, LINE / 8);
    expectEqual('status of the read', verb.pass(core, one), 0);
    if (moves) expectEqual(`last word of ${pa}`, core.mailbox.u64[7], BigInt(pa));
  }
  core.clflush(PA, 1, KEY);
  core.movdir64b(PACKAGE, PA, OTHER_KEY);
  one[0] = PA;
  expectEqual('status of a line under another key', verb.pass(core, one), 1);
}

const randomly = (lines: number, seed: number): Float64Array =>
  Float64Array.from(shuffled(lines, seed), (line) => PA + line * LINE);

function measure(verb: Verb, { lines, provenance, renewed }: Column, protocol: Protocol): Measurement {
  const core = machine({ provenance });
  const addresses = randomly(lines, protocol.seed);
  stamp(core, VERBS[0]!, addresses);
  let status = 0;
  let event = EVENT;
  const batch = (): void => {
    for (let pass = 0; pass < SAMPLE / lines; pass++) {
      if (renewed) core.setEvent(++event);
      status |= verb.pass(core, addresses);
    }
  };
  const samples = sample(SAMPLE, batch, protocol);
  expectEqual('status', status, 0);
  expectWriters(core, lines * LINE, event);
  if (verb.direction === 'in') stamp(core, verb, addresses);
  expectStamps(core, addresses);
  if (verb.direction === 'out') expectReads(core, verb, addresses);
  return { headline: nanoseconds(samples) };
}

interface Column {
  readonly lines: number;
  readonly provenance: boolean;
  /** Does every pass belong to an event of its own? Then each line gets another writer. */
  readonly renewed: boolean;
}

/** Nobody asks for the event with provenance off; a read stamps nothing. */
const COLUMNS: readonly (Column & { readonly params: Params; readonly direction?: Verb['direction'] })[] = [
  { lines: LINES, provenance: true, renewed: false, params: { footprint: '1 MiB', events: 'one event', provenance: 'on' } },
  {
    lines: LINES,
    provenance: true,
    renewed: true,
    params: { footprint: '1 MiB', events: 'a new event a pass', provenance: 'on' },
    direction: 'in',
  },
  { lines: LINES, provenance: false, renewed: false, params: { footprint: '1 MiB', provenance: 'off' } },
  { lines: NEAR_LINES, provenance: true, renewed: false, params: { footprint: '16 KiB', events: 'one event', provenance: 'on' } },
];

/** The signature of a store or load, refused as soon as it is in Wasm: this instance was never powered on and has no KeyID at all. */
function measureFloor(protocol: Protocol): Measurement {
  const { loadHit } = instantiateCore(compileCore());
  const addresses = randomly(LINES, protocol.seed);
  let hits = 0;
  const batch = (): void => {
    for (let i = 0; i < addresses.length; i++) hits |= loadHit(PACKAGE, addresses[i]!, LINE, KEY);
  };
  const samples = sample(LINES, batch, protocol);
  expectEqual('hits in a machine without power', hits, 0);
  return { headline: nanoseconds(samples) };
}

const floor: Bench = {
  name: 'line/call-floor',
  params: { call: 'into Wasm and back at once' },
  target: null,
  run: measureFloor,
};

const verbs = VERBS.flatMap((verb) =>
  COLUMNS.filter(({ direction }) => direction === undefined || direction === verb.direction).map(({ params, ...column }) => ({
    name: verb.name,
    params,
    target: verb.target,
    run: (protocol: Protocol) => measure(verb, column, protocol),
  })),
);

export const line: readonly Bench[] = [...verbs, floor];
