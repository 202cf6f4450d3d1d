/** Eager crypto: the line engine by itself, against libraries, and in a machine where every line written is encrypted and gets its MAC at once. */
import type { MemoryCore } from '../../bindings/index.ts';
import { type Bench, expectBytes, expectEqual, type Measurement } from '../harness/bench.ts';
import { COLUMNS, KEY, machine, onOff, PACKAGE } from '../harness/machine.ts';
import type { Protocol } from '../harness/protocol.ts';
import { nanoseconds, sample, speedup } from '../harness/timing.ts';
import { GIB, LINE, scramble } from '../harness/workload.ts';
import { type LineCrypto, macKey, Noble, NodeCrypto } from '../peers/line-crypto.ts';
import { type Bits, ENGINE_LINES, LineEngine } from './line-engine.ts';

const PA = GIB;
const LINES = 1024;

/** A machine in the eager mode whose KEY has bytes that the peers know too. */
class EagerMachine {
  readonly core: MemoryCore;
  readonly dataKey: Uint8Array;
  readonly tweakKey: Uint8Array;
  readonly bytes: Uint8Array;

  constructor(aesBits: Bits, provenance: boolean, seed: number) {
    this.core = machine({ aesBits, provenance, crypto: 'eager' });
    const keys = scramble(new Uint8Array(aesBits / 4), seed);
    this.dataKey = keys.slice(0, aesBits / 8);
    this.tweakKey = keys.slice(aesBits / 8);
    this.core.mailbox.u8.set(keys);
    this.core.programKey(PACKAGE, KEY, 'direct');
    this.bytes = scramble(new Uint8Array(LINES * LINE), seed + 1);
  }

  write(): void {
    this.core.directWrite('movdir64b', PACKAGE, PA, KEY, this.bytes);
  }

  peer(create: new (data: Uint8Array, tweak: Uint8Array, mac: Uint8Array) => LineCrypto): LineCrypto {
    return new create(this.dataKey, this.tweakKey, macKey(this.core.config.seed));
  }

  /** What lies on the bus is what a library makes of the same line, key and MAC key. */
  expectSealed(peer: LineCrypto): void {
    for (let at = 0; at < LINES; at++) {
      const pa = PA + at * LINE;
      const { ciphertext, mac } = peer.seal(pa / LINE, this.bytes.subarray(at * LINE, (at + 1) * LINE));
      const bus = this.core.capture(pa);
      expectBytes('ciphertext on the bus', bus.ciphertext, ciphertext);
      expectEqual('MAC on the bus', bus.mac, mac & (2 ** this.core.config.macBits - 1));
    }
  }
}

function measureWrite(aesBits: Bits, provenance: boolean, protocol: Protocol): Measurement {
  const eager = new EagerMachine(aesBits, provenance, protocol.seed);
  const before = eager.core.counters();
  eager.write();
  const after = eager.core.counters();
  expectEqual('MACs made by a write of every line', after.macsComputed! - before.macsComputed!, LINES);
  const samples = sample(LINES, () => eager.write(), protocol);
  eager.expectSealed(eager.peer(NodeCrypto));
  return { headline: nanoseconds(samples, 'ns/line') };
}

const PEERS = [
  { peer: 'node:crypto', create: NodeCrypto },
  { peer: '@noble', create: Noble },
];

function measureLine(aesBits: Bits, protocol: Protocol): Measurement {
  const engine = new LineEngine(aesBits, protocol.seed);
  const samples = sample(ENGINE_LINES, () => engine.seal(), protocol);
  engine.expectSealed(engine.peer(NodeCrypto));
  return { headline: nanoseconds(samples, 'ns/line') };
}

function measureAgainst(create: (typeof PEERS)[number]['create'], aesBits: Bits, protocol: Protocol): Measurement {
  const engine = new LineEngine(aesBits, protocol.seed);
  const peer = engine.peer(create);
  const result = speedup({ run: () => engine.seal() }, { run: () => engine.sealBy(peer) }, protocol);
  engine.expectSealed(peer);
  return result;
}

const SIZES = [
  { aesBits: 128, target: '≤ 250 ns' },
  { aesBits: 256, target: '≤ 330 ns' },
] as const;

const lines: Bench[] = SIZES.map(({ aesBits, target }) => ({
  name: 'crypto/eager-line',
  params: { aes: `AES-XTS-${aesBits}, SHA-3 MAC` },
  target,
  run: (protocol: Protocol) => measureLine(aesBits, protocol),
}));

const against: Bench[] = PEERS.flatMap(({ peer, create }) =>
  SIZES.map(({ aesBits }) => ({
    name: 'crypto/eager-line-against',
    params: { peer, aes: `AES-XTS-${aesBits}, SHA-3 MAC` },
    target: '> 1 ×',
    run: (protocol: Protocol) => measureAgainst(create, aesBits, protocol),
  })),
);

/** The whole way of a line through the machine: displacements, tags and the MAC's place included. */
const writes: Bench[] = SIZES.flatMap(({ aesBits }) =>
  COLUMNS.map((provenance) => ({
    name: 'crypto/eager-write',
    params: { aes: `AES-XTS-${aesBits}`, provenance: onOff(provenance) },
    target: null,
    run: (protocol: Protocol) => measureWrite(aesBits, provenance, protocol),
  })),
);

export const crypto: readonly Bench[] = [...lines, ...against, ...writes];
