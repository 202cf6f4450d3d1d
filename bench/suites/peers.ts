/** The core against the two TypeScript models of bench/peers: the same batched operations on the same bytes. */
import type { MemoryCore } from '../../bindings/index.ts';
import { type Bench, expectBytes, expectEqual, type Measurement } from '../harness/bench.ts';
import { COLUMNS, KEY, machine, onOff, own, PACKAGE } from '../harness/machine.ts';
import type { Protocol } from '../harness/protocol.ts';
import { type Side, speedup } from '../harness/timing.ts';
import { GIB, LINE, MIB, PAGE, scramble } from '../harness/workload.ts';
import type { PeerMemory } from '../peers/model.ts';
import { NaiveMap } from '../peers/naive-map.ts';
import { TypedArrays } from '../peers/typed-arrays.ts';

const PA = GIB;
const SIZE = MIB;

const PEERS = [
  { peer: 'naive Map<bigint>', target: '≥ 50 ×', create: (): PeerMemory => new NaiveMap() },
  { peer: 'typed arrays', target: '≥ 3 ×', create: (): PeerMemory => new TypedArrays(PA, SIZE) },
];

/** The core with the peers' verbs; a single line goes through the mailbox. */
export function asPeer(core: MemoryCore): PeerMemory {
  return {
    programKey: (keyId) => core.programKey(PACKAGE, keyId, 'random'),
    write: (pa, keyId, bytes) => void core.write(PACKAGE, pa, keyId, bytes),
    read: (pa, keyId, out) => core.read(PACKAGE, pa, keyId, out),
    directWrite: (pa, keyId, bytes) => void core.directWrite('movdir64b', PACKAGE, pa, keyId, bytes),
    dmaRead: (pa, keyId, out) => {
      if (out.length > LINE) return core.dmaReadInto(pa, keyId, out);
      const status = core.dmaRead(pa, out.length, keyId);
      if (status === 0) out.set(core.mailbox.u8.subarray(0, out.length));
      return status;
    },
    wbinvd: () => core.wbinvd(PACKAGE),
  };
}

interface Operation {
  readonly name: string;
  side(memory: PeerMemory, bytes: Uint8Array, out: Uint8Array): Side;
}

const OPERATIONS: readonly Operation[] = [
  { name: 'peers/write', side: (memory, bytes) => ({ run: () => memory.write(PA, KEY, bytes) }) },
  { name: 'peers/read-check', side: (memory, _, out) => ({ run: () => void memory.read(PA, KEY, out) }) },
  { name: 'peers/direct-write', side: (memory, bytes) => ({ run: () => memory.directWrite(PA, KEY, bytes) }) },
  { name: 'peers/dma-read', side: (memory, _, out) => ({ run: () => void memory.dmaRead(PA, KEY, out) }) },
  {
    name: 'peers/wbinvd',
    side: (memory, bytes) => {
      const line = new Uint8Array(LINE);
      return {
        prepare: () => memory.write(PA, KEY, bytes),
        run: () => {
          memory.wbinvd();
          lookAtPages(memory, line);
        },
      };
    },
  },
];

/** A device's read of one line a page: write-backs that WBINVD only noted have to happen now. */
function lookAtPages(memory: PeerMemory, line: Uint8Array): void {
  for (let pa = PA + PAGE - LINE; pa < PA + SIZE; pa += PAGE) memory.dmaRead(pa, KEY, line);
}

/** Both hold the same bytes in the end, as a device sees them. */
function expectSame(memories: readonly PeerMemory[], bytes: Uint8Array): void {
  for (const memory of memories) {
    const out = new Uint8Array(SIZE);
    memory.wbinvd();
    expectEqual('status of the read', memory.dmaRead(PA, KEY, out), 0);
    expectBytes('what was read', out, bytes);
  }
}

function measure(operation: Operation, peer: PeerMemory, provenance: boolean, protocol: Protocol): Measurement {
  const core = machine({ provenance, packages: 1, homes: [] });
  own(core, PA, SIZE);
  peer.programKey(KEY);
  const bytes = scramble(new Uint8Array(SIZE), protocol.seed);
  const outs = [new Uint8Array(SIZE), new Uint8Array(SIZE)] as const;
  const memories = [asPeer(core), peer] as const;
  for (const memory of memories) {
    memory.directWrite(PA, KEY, bytes);
    memory.read(PA, KEY, outs[0]);
  }
  const sides = memories.map((memory, i) => operation.side(memory, bytes, outs[i]!));
  const result = speedup(sides[0]!, sides[1]!, protocol);
  expectSame(memories, bytes);
  return result;
}

export const peers: readonly Bench[] = OPERATIONS.flatMap((operation) =>
  PEERS.flatMap(({ peer, target, create }) =>
    COLUMNS.map((provenance) => ({
      name: operation.name,
      params: { peer, provenance: onOff(provenance) },
      target,
      run: (protocol: Protocol) => measure(operation, create(), provenance, protocol),
    })),
  ),
);
