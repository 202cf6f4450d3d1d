/** Single operations on one line, called from JavaScript, on 1 MiB in a seeded order. */
import type { MemoryCore } from '../../bindings/index.ts';
import { type Bench, expectEqual, type Measurement } from '../harness/bench.ts';
import { COLUMNS, KEY, machine, OTHER_KEY, onOff, PACKAGE } from '../harness/machine.ts';
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

function expectStamps(core: MemoryCore, addresses: Float64Array): void {
  for (let pkg = 0; pkg < core.config.packages; pkg++) core.wbinvd(pkg);
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

function measure(verb: Verb, provenance: boolean, protocol: Protocol): Measurement {
  const core = machine({ provenance });
  const addresses = Float64Array.from(shuffled(LINES, protocol.seed), (line) => PA + line * LINE);
  stamp(core, VERBS[0]!, addresses);
  let status = 0;
  const batch = (): void => {
    for (let pass = 0; pass < PASSES; pass++) status |= verb.pass(core, addresses);
  };
  const samples = sample(LINES * PASSES, batch, protocol);
  expectEqual('status', status, 0);
  if (verb.direction === 'in') stamp(core, verb, addresses);
  expectStamps(core, addresses);
  if (verb.direction === 'out') expectReads(core, verb, addresses);
  return { headline: nanoseconds(samples) };
}

export const line: readonly Bench[] = VERBS.flatMap((verb) =>
  COLUMNS.map((provenance) => ({
    name: verb.name,
    params: { provenance: onOff(provenance) },
    target: verb.target,
    run: (protocol: Protocol) => measure(verb, provenance, protocol),
  })),
);
