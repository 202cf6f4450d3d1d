/** Lazy against eager crypto: one stress mix, 0.1 % of whose lines are observed across keys, with the same answers. */
import type { MemoryCore } from '../../bindings/index.ts';
import { type Bench, expectEqual, type Measurement } from '../harness/bench.ts';
import { COLUMNS, HOST_KEY, KEY, machine, onOff, own, PACKAGE } from '../harness/machine.ts';
import type { Protocol } from '../harness/protocol.ts';
import { speedup } from '../harness/timing.ts';
import { GIB, LINE, random } from '../harness/workload.ts';

const PA = GIB;
const LINES = 16384;
/** A shared KeyID without integrity sees ciphertext garbage of another one: that read makes ciphertext real. */
const SHARED_KEY = 1;
const OBSERVED = 1000;

/** The mix, as far as the two engines tell it apart: run it, and what it answered. */
interface Mix {
  /** `operations` more operations. */
  run(operations: number): void;
  digest(): string;
}

/** One operation in 1,000 reads a shared line through KeyID 0; the others store, load, write directly or flush lines of the TD. */
class LoopMix implements Mix {
  readonly #core: MemoryCore;
  readonly #next: () => number;
  #hash = 0;

  constructor(crypto: 'lazy' | 'eager', provenance: boolean, seed: number) {
    this.#core = machine({ crypto, provenance, sharedIntegrity: false });
    this.#next = random(seed);
    this.#core.programKey(PACKAGE, SHARED_KEY, 'random');
    own(this.#core, PA, LINES * LINE);
    this.#core.movdir64bFill(PACKAGE, 2 * PA, LINES, SHARED_KEY, 5n);
  }

  run(operations: number): void {
    for (let i = 0; i < operations; i++) this.#step(i);
  }

  digest(): string {
    return (this.#hash >>> 0).toString(16);
  }

  #step(i: number): void {
    const core = this.#core;
    const draw = this.#next();
    const offset = (draw % LINES) * LINE;
    if (i % OBSERVED === 0) {
      this.#answer(core.dmaRead(2 * PA + offset, LINE, HOST_KEY));
      return;
    }
    switch (draw >>> 30) {
      case 0:
        core.mailbox.u32[1] = draw;
        this.#answer(core.store(PACKAGE, PA + offset, LINE, KEY));
        break;
      case 1:
        this.#answer(core.load(PACKAGE, PA + offset, LINE, KEY));
        break;
      case 2:
        core.mailbox.u32[2] = draw;
        core.movdir64b(PACKAGE, PA + offset, KEY);
        break;
      default:
        core.clflush(PA + offset, 1, KEY);
    }
  }

  #answer(status: number): void {
    const { u32 } = this.#core.mailbox;
    this.#hash = Math.imul(this.#hash ^ u32[1]! ^ u32[2]! ^ u32[15]! ^ status, 0x9e3779b1) | 0;
  }
}

const OPERATIONS = 4000;

function measure(provenance: boolean, protocol: Protocol): Measurement {
  const [lazy, eager] = (['lazy', 'eager'] as const).map((crypto): Mix => new LoopMix(crypto, provenance, protocol.seed));
  const side = (mix: Mix) => ({ prepare: () => {}, run: () => mix.run(OPERATIONS) });
  const result = speedup(side(lazy!), side(eager!), protocol);
  expectEqual('digest of the lazy answers', lazy!.digest(), eager!.digest());
  return result;
}

export const lazyEager: readonly Bench[] = COLUMNS.map((provenance) => ({
  name: 'crypto/lazy-against-eager',
  params: { mix: 'single lines from JavaScript', provenance: onOff(provenance) },
  target: '≥ 100 ×',
  run: (protocol: Protocol) => measure(provenance, protocol),
}));
