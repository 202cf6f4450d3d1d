/** Work in which one line in a thousand is observed: its ciphertext has to be made real because it is read under another KeyID. */
import type { MemoryCore } from '../../bindings/index.ts';
import { DEFAULT_STRESS_PROGRAM, StressRun } from '../../src/lab/stress/index.ts';
import { expectEqual } from '../harness/bench.ts';
import { HOST_KEY, KEY, machine, own, PACKAGE } from '../harness/machine.ts';
import { GIB, KIB, LINE, MIB, random, scramble, sha256 } from '../harness/workload.ts';

/** Two of them with different engines have to answer alike. */
export interface Mix {
  /** As many operations as are timed at once. */
  slice(): void;
  /** Of all answers so far. */
  digest(): string;
  /** Lines that operations have touched so far. */
  lines(): number;
  /** AES blocks made real since the start, set-up left out. */
  cryptoBlocks(): number;
}

export type CreateMix = (crypto: 'lazy' | 'eager', provenance: boolean, seed: number) => Mix;

export const STRESS_MIX = { movdir64b: 80, load: 10, store: 8, clflush: 2, wbinvd: 0.01 };
const STRESS_OPERATIONS = 50_000;
/**
 * Half of the foreign KeyIDs meet a private line, or are the line's own, and most of the others write it: of so many operations through
 * a KeyID drawn from all, a seventeenth reads a line that another shared KeyID wrote.
 */
const STRESS_KEY_IDS = { shared: 3, private: 4, privateShare: 0.5, cross: 0.017 };

/** A stress program inside Wasm. */
export const stressMix: CreateMix = (crypto, provenance, seed) => {
  const run = new StressRun({
    ...DEFAULT_STRESS_PROGRAM,
    seed,
    footprint: MIB,
    mix: STRESS_MIX,
    keyIds: STRESS_KEY_IDS,
    hardware: { ...DEFAULT_STRESS_PROGRAM.hardware, crypto, provenance },
  });
  const before = run.result.counters.cryptoBlocks!;
  return {
    slice: () => run.run(STRESS_OPERATIONS),
    digest: () => {
      const { operations, digest, provenanceDigest, faults } = run.result;
      return JSON.stringify({ operations, digest, provenanceDigest, faults });
    },
    lines: () => run.result.operations,
    cryptoBlocks: () => run.result.counters.cryptoBlocks! - before,
  };
};

const PA = GIB;
/** Memory of a shared KeyID, which has no integrity here: KeyID 0 reads it as garbage. */
const SHARED_PA = 2 * GIB;
const SHARED_KEY = 1;

/** A machine with as much memory of a TD as of the shared KeyID. */
function bothOwned(crypto: 'lazy' | 'eager', provenance: boolean, bytes: number): MemoryCore {
  const core = machine({ crypto, provenance, sharedIntegrity: false });
  core.programKey(PACKAGE, SHARED_KEY, 'random');
  own(core, PA, bytes);
  core.movdir64bFill(PACKAGE, SHARED_PA, bytes / LINE, SHARED_KEY, 5n);
  return core;
}

/** Counts lines and folds answers, the observed line's bytes among them. */
class Tally {
  readonly #core: MemoryCore;
  readonly #blocksBefore: number;
  #hash = 0;
  lines = 0;

  constructor(core: MemoryCore) {
    this.#core = core;
    this.#blocksBefore = core.counters().cryptoBlocks!;
  }

  /** What lies in the mailbox is part of the answer. */
  answer(status: number): void {
    const { u32 } = this.#core.mailbox;
    this.#hash = Math.imul(this.#hash ^ u32[1]! ^ u32[2]! ^ u32[15]! ^ status, 0x9e3779b1) | 0;
  }

  status(status: number): void {
    this.#hash = Math.imul(this.#hash ^ status, 0x9e3779b1) | 0;
  }

  get hash(): string {
    return (this.#hash >>> 0).toString(16);
  }

  get cryptoBlocks(): number {
    return this.#core.counters().cryptoBlocks! - this.#blocksBefore;
  }
}

const LINES = 16384;
const LINE_OPERATIONS = 4000;
const OBSERVED_EVERY = 1000;

function lineStep(core: MemoryCore, tally: Tally, draw: number): void {
  const pa = PA + (draw % LINES) * LINE;
  switch (draw >>> 30) {
    case 0:
      core.mailbox.u32[1] = draw;
      tally.answer(core.store(PACKAGE, pa, LINE, KEY));
      break;
    case 1:
      tally.answer(core.load(PACKAGE, pa, LINE, KEY));
      break;
    case 2:
      core.mailbox.u32[2] = draw;
      core.movdir64b(PACKAGE, pa, KEY);
      break;
    default:
      core.clflush(pa, 1, KEY);
  }
}

/** Single lines from JavaScript: a quarter each of stores, loads, direct stores and flushes. */
export const lineMix: CreateMix = (crypto, provenance, seed) => {
  const core = bothOwned(crypto, provenance, LINES * LINE);
  const tally = new Tally(core);
  const next = random(seed);
  return {
    slice: () => {
      for (let i = 0; i < LINE_OPERATIONS; i++) {
        const draw = next();
        if (i % OBSERVED_EVERY !== 0) lineStep(core, tally, draw);
        else tally.answer(core.dmaRead(SHARED_PA + (draw % LINES) * LINE, LINE, HOST_KEY));
      }
      tally.lines += LINE_OPERATIONS;
    },
    digest: () => tally.hash,
    lines: () => tally.lines,
    cryptoBlocks: () => tally.cryptoBlocks,
  };
};

const PIECE = 64 * KIB;
const PIECES = 8;
const VERBS = 4;
/** Of the lines that four verbs move in a piece of either kind. */
const OBSERVED_A_PIECE = Math.round((2 * VERBS * PIECE) / LINE / 1000);

interface Piece {
  readonly pa: number;
  readonly keyId: number;
  readonly bytes: Uint8Array;
  readonly out: Uint8Array;
}

function pieces(seed: number): Piece[] {
  return [PA, SHARED_PA].flatMap((base, kind) =>
    Array.from({ length: PIECES }, (_, i) => ({
      pa: base + i * PIECE,
      keyId: base === PA ? KEY : SHARED_KEY,
      bytes: scramble(new Uint8Array(PIECE), seed + 2 * i + kind),
      out: new Uint8Array(PIECE),
    })),
  );
}

/** Each line goes to memory and comes from there twice: through the caches, which WBINVD empties, and past them. */
function movePiece(core: MemoryCore, tally: Tally, { pa, keyId, bytes, out }: Piece): void {
  tally.status(core.write(PACKAGE, pa, keyId, bytes));
  core.wbinvd(PACKAGE);
  tally.status(core.read(PACKAGE, pa, keyId, out));
  tally.status(core.directWrite('movdir64b', PACKAGE, pa, keyId, bytes));
  tally.status(core.dmaReadInto(pa, keyId, out));
  tally.lines += (VERBS * PIECE) / LINE;
}

/** Pieces of 64 KiB: write, read, directWrite and dmaReadInto of each. */
export const rangeMix: CreateMix = (crypto, provenance, seed) => {
  const core = bothOwned(crypto, provenance, PIECES * PIECE);
  const tally = new Tally(core);
  const next = random(seed);
  const all = pieces(seed);
  const observe = (pa: number): void => {
    for (let i = 0; i < OBSERVED_A_PIECE; i++) {
      tally.answer(core.dmaRead(pa + (next() % (PIECE / LINE)) * LINE, LINE, HOST_KEY));
    }
  };
  return {
    slice: () => {
      for (const piece of all) {
        piece.bytes[0] = next();
        movePiece(core, tally, piece);
        if (piece.keyId === SHARED_KEY) observe(piece.pa);
      }
    },
    digest: () => {
      for (const { bytes, out } of all) expectEqual('digest of what a device read', sha256(out), sha256(bytes));
      return tally.hash;
    },
    lines: () => tally.lines,
    cryptoBlocks: () => tally.cryptoBlocks,
  };
};
