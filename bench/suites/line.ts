/** Single operations on one line, called from JavaScript, on 1 MiB in a seeded order. */
import { compileCore, instantiateCore } from '../../bindings/compile.ts';
import type { MemoryCore } from '../../bindings/index.ts';
import { type Bench, expectEqual, type Measurement, type Params } from '../harness/bench.ts';
import { EVENT, KEY, machine, OTHER_KEY, PACKAGE } from '../harness/machine.ts';
import type { Protocol } from '../harness/protocol.ts';
import { nanoseconds, sample } from '../harness/timing.ts';
import { GIB, LINE, shuffled } from '../harness/workload.ts';

const PA = GIB;
const LINES = 16384;
const PASSES = 4;

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
function expectWriters(core: MemoryCore, event: number): void {
  writeBackAll(core);
  if (!core.config.provenance) return;
  core.forEachRun(PA, LINES * LINE, (_, __, state) => expectEqual('writer of the lines', state.writer, event));
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

function measure(verb: Verb, { provenance, renewed }: Column, protocol: Protocol): Measurement {
  const core = machine({ provenance });
  const addresses = Float64Array.from(shuffled(LINES, protocol.seed), (line) => PA + line * LINE);
  stamp(core, VERBS[0]!, addresses);
  let status = 0;
  let event = EVENT;
  const batch = (): void => {
    for (let pass = 0; pass < PASSES; pass++) {
      if (renewed) core.setEvent(++event);
      status |= verb.pass(core, addresses);
    }
  };
  const samples = sample(LINES * PASSES, batch, protocol);
  expectEqual('status', status, 0);
  expectWriters(core, event);
  if (verb.direction === 'in') stamp(core, verb, addresses);
  expectStamps(core, addresses);
  if (verb.direction === 'out') expectReads(core, verb, addresses);
  return { headline: nanoseconds(samples) };
}

interface Column {
  readonly provenance: boolean;
  /** Does every pass belong to an event of its own? Then each line gets another writer. */
  readonly renewed: boolean;
}

/** Nobody asks for the event with provenance off; a read stamps nothing. */
const EVENTS: readonly (Column & { readonly params: Params; readonly direction?: Verb['direction'] })[] = [
  { provenance: true, renewed: false, params: { events: 'one event', provenance: 'on' } },
  { provenance: true, renewed: true, params: { events: 'a new event a pass', provenance: 'on' }, direction: 'in' },
  { provenance: false, renewed: false, params: { provenance: 'off' } },
];

/** The signature of a store or load, refused as soon as it is in Wasm: this instance was never powered on and has no KeyID at all. */
function measureFloor(protocol: Protocol): Measurement {
  const { loadHit } = instantiateCore(compileCore());
  const addresses = Float64Array.from(shuffled(LINES, protocol.seed), (line) => PA + line * LINE);
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
  EVENTS.filter(({ direction }) => direction === undefined || direction === verb.direction).map(({ params, ...column }) => ({
    name: verb.name,
    params,
    target: verb.target,
    run: (protocol: Protocol) => measure(verb, column, protocol),
  })),
);

export const line: readonly Bench[] = [...verbs, floor];
