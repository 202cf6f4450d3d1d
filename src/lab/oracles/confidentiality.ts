import type { HostSight, Probe, Range } from '../../platform/probe.ts';
import { type Finding, hex } from './finding.ts';

const WORD = 8;
const LINE = 64;
const ALL_BYTES = 0xff;

/**
 * Watches everything that reaches host software and devices for secrets: random 64-bit words that only the guest should know.
 * Create it before the run, ask {@link findings} after it.
 */
export class ConfidentialityWatch {
  /** Low half of each secret word to its possible high halves: a number lookup a word is all that an innocent value costs. */
  readonly #canaries = new Map<number, Set<number>>();
  readonly #findings: Finding[] = [];
  /** Words that arrive in loads narrower than a word, put together byte by byte. */
  readonly #pieces = new Map<number, { readonly bytes: Uint8Array; seen: number }>();
  readonly #probe: Probe;
  /** How much was looked at. `secretLines`: lines, in DRAM or a cache, that do hold a secret under a private KeyID. */
  readonly checked = { hostSights: 0, hostWords: 0, busLines: 0, secretLines: 0, canaries: 0 };

  constructor(probe: Probe, canaries: Iterable<bigint> = []) {
    this.#probe = probe;
    this.add(canaries);
    probe.watchHost((sight) => this.#look(sight));
  }

  /** More secrets, for instance when the guest starts. Words of 0 or with an empty half are refused: they occur by accident. */
  add(canaries: Iterable<bigint>): void {
    for (const canary of canaries) {
      const [low, high] = [Number(canary & 0xffff_ffffn), Number((canary >> 32n) & 0xffff_ffffn)];
      if (low === 0 || high === 0) throw new RangeError(`canary ${hex(canary)}: give 64 random bits`);
      const highs = this.#canaries.get(low) ?? new Set();
      this.#canaries.set(low, highs.add(high));
      this.checked.canaries++;
    }
  }

  /** What was seen so far, and what the bus shows of the ranges where the secrets lie. */
  findings(pages: readonly Range[] = []): Finding[] {
    return [...this.#findings, ...this.#bus(pages)];
  }

  #look(sight: HostSight): void {
    this.checked.hostSights++;
    if (this.#canaries.size === 0) return;
    const { bytes, pa } = sight;
    const at = this.#find(bytes, 1);
    if (at >= 0) this.#caught(sight, pa + at);
    else if (bytes.length < WORD && sight.source !== 'registers') this.#lookAtPiece(sight);
  }

  /** Position of a secret word in the bytes, or -1. Nobody says that a leak is aligned. */
  #find(bytes: Uint8Array, step: number): number {
    if (bytes.length < WORD) return -1;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let at = 0; at + WORD <= bytes.length; at += step) {
      this.checked.hostWords++;
      const highs = this.#canaries.get(view.getUint32(at, true));
      if (highs?.has(view.getUint32(at + WORD / 2, true))) return at;
    }
    return -1;
  }

  #lookAtPiece(sight: HostSight): void {
    sight.bytes.forEach((byte, i) => {
      const word = sight.pa + i - ((sight.pa + i) % WORD);
      const piece = this.#pieces.get(word) ?? { bytes: new Uint8Array(WORD), seen: 0 };
      piece.bytes[sight.pa + i - word] = byte;
      piece.seen |= 1 << (sight.pa + i - word);
      this.#pieces.set(word, piece);
      if (piece.seen === ALL_BYTES && this.#find(piece.bytes, WORD) >= 0) this.#caught(sight, word);
    });
  }

  #caught(sight: HostSight, pa: number): void {
    const who = sight.lp < 0 ? 'a device' : `the host on LP ${sight.lp}`;
    const text =
      sight.source === 'registers'
        ? `${who} got a secret of the guest in its registers from a SEAMCALL`
        : `${who} read a secret of the guest at ${hex(pa)}`;
    this.#findings.push({ oracle: 'confidentiality', severity: 'violation', text, pa, event: sight.event });
  }

  #bus(pages: readonly Range[]): Finding[] {
    this.checked.busLines = 0;
    this.checked.secretLines = 0;
    const findings: Finding[] = [];
    for (const { base, size } of pages)
      for (let pa = base; pa < base + size; pa += LINE) {
        this.checked.busLines++;
        if (this.#isHeldPrivately(pa)) this.checked.secretLines++;
        const at = this.#find(this.#probe.dram(pa).ciphertext, 1);
        if (at < 0) continue;
        const text = `the memory bus shows a secret of the guest at ${hex(pa + at)}`;
        findings.push({ oracle: 'confidentiality', severity: 'violation', text, pa, event: this.#probe.line(pa).writer });
      }
    return findings;
  }

  #isHeldPrivately(pa: number): boolean {
    const first = this.#probe.firstPrivateKeyId;
    const cached = this.#probe.cached(pa).some(({ keyId, data }) => keyId >= first && this.#find(data, WORD) >= 0);
    return cached || (this.#probe.line(pa).keyId >= first && this.#find(this.#probe.plaintext(pa), WORD) >= 0);
  }
}
