import type { Probe, Range } from '../../platform/probe.ts';
import { PT } from '../../spec/states.ts';
import { type Finding, hex } from './finding.ts';
import type { Ledger } from './ledger.ts';
import { levelBytes, type OwnedPage } from './page-book.ts';

/** A TDMR as the host configured it, in absolute addresses. */
export interface TdmrRegion extends Range {
  /** PAMT of each level: 4 KiB, 2 MiB, 1 GiB. */
  readonly pamt: readonly [Range, Range, Range];
  readonly reserved: readonly Range[];
}

const LINE = 64;
const ENTRY = 16;
const OWNER_AT = 3;
const OWNER_BYTES = 5;
const TYPE_AT = 2;
/** More of the same kind say nothing new. */
const MOST_FINDINGS = 20;
const TYPE_NAMES: ReadonlyMap<number, string> = new Map(Object.entries(PT).map(([name, type]) => [type, `PT_${name}`]));

interface Entry {
  readonly type: number;
  /** Address of the owner's TDR. */
  readonly owner: number;
}

/** layouts.md §8, read by hand: this oracle shares no decoding with the module. */
const decode = (line: Uint8Array, at: number): Entry => {
  let pageFrame = 0;
  for (let i = OWNER_BYTES - 1; i >= 0; i--) pageFrame = pageFrame * 256 + line[at + OWNER_AT + i]!;
  return { type: line[at + TYPE_AT]!, owner: pageFrame * levelBytes(0) };
};

/** One level of one TDMR's PAMT: which entries should say what, and which do. */
class Level {
  readonly pamt: Range;
  readonly pageBytes: number;
  /** Bytes of the PAMT range that describe initialised memory. */
  readonly used: number;
  readonly #tdmr: TdmrRegion;
  readonly #level: number;
  readonly #ledger: Ledger;

  constructor(tdmr: TdmrRegion, level: 0 | 1 | 2, ledger: Ledger) {
    this.#tdmr = tdmr;
    this.#level = level;
    this.#ledger = ledger;
    this.pamt = tdmr.pamt[level];
    this.pageBytes = levelBytes(level);
    const initialized = Math.min(ledger.initialized.get(tdmr.base) ?? tdmr.base, tdmr.base + tdmr.size);
    this.used = ((initialized - tdmr.base) / this.pageBytes) * ENTRY;
  }

  pageOf(entryPa: number): number {
    return this.#tdmr.base + ((entryPa - this.pamt.base) / ENTRY) * this.pageBytes;
  }

  lineOf(page: number): number {
    const at = this.pamt.base + ((page - this.#tdmr.base) / this.pageBytes) * ENTRY;
    return at - (at % LINE);
  }

  /** Lines whose entries must not be all zeros. */
  *claimedLines(): Generator<number> {
    const { base, size } = this.#tdmr;
    for (const { pa, level } of this.#ledger.book.pages.values())
      if (level === this.#level && pa >= base && pa < base + size) yield this.lineOf(pa);
    if (this.#level > 0) return;
    for (const area of this.#tdmr.reserved) {
      const last = this.lineOf(area.base + area.size - this.pageBytes);
      for (let line = this.lineOf(area.base); line <= last; line += LINE) yield line;
    }
  }

  /** What is wrong with an entry, or null. */
  judge(page: number, entry: Entry): string | null {
    const owned = this.#ledger.book.pages.get(page);
    if (owned && owned.level === this.#level) return wrongOwner(owned, entry);
    // A walk ends at the first entry that is not NDA: a large entry may say RSVD where everything below it is reserved.
    const reserved = this.#isReserved(page);
    if (reserved && (entry.type === PT.RSVD || (this.#level > 0 && entry.type === PT.NDA))) return null;
    if (reserved) return `is ${name(entry.type)}, but lies in a reserved area`;
    return entry.type === PT.NDA ? null : `is ${name(entry.type)}${ownerText(entry)}, but the host has given it to nobody`;
  }

  #isReserved(page: number): boolean {
    return this.#tdmr.reserved.some(({ base, size }) => page >= base && page + this.pageBytes <= base + size);
  }
}

const name = (type: number): string => TYPE_NAMES.get(type) ?? `type ${type}`;
const ownerText = ({ owner }: Entry): string => (owner === 0 ? '' : ` of the TD at ${hex(owner)}`);

const wrongOwner = (owned: OwnedPage, entry: Entry): string | null => {
  const owner = owned.type === PT.TDR ? 0 : owned.tdr;
  if (entry.type === owned.type && entry.owner === owner) return null;
  return `is ${name(entry.type)}${ownerText(entry)}, but the host gave it as ${name(owned.type)}${ownerText({ type: 0, owner })}`;
};

/** Compares the PAMT, read out of simulated memory, with the ledger. `checked` counts lines looked at. */
export function auditPamt(
  probe: Probe,
  ledger: Ledger,
  tdmrs: readonly TdmrRegion[],
  checked: Record<string, number> = {},
): Finding[] {
  const findings: Finding[] = [];
  for (const tdmr of tdmrs)
    for (const level of [0, 1, 2] as const) {
      const part = new Level(tdmr, level, ledger);
      if (part.used > 0) findings.push(...auditLevel(probe, ledger.globalKeyId, part, checked));
    }
  return findings;
}

function auditLevel(probe: Probe, keyId: number, part: Level, checked: Record<string, number>): Finding[] {
  const { base } = part.pamt;
  const end = base + part.used;
  const { cached, aliased } = cachedLines(probe, keyId, base, part.used);
  const lines = new Set<number>([...nonZeroLines(probe, base, end), ...cached.keys(), ...part.claimedLines()]);
  checked.pamtLines = (checked.pamtLines ?? 0) + lines.size;
  checked.pamtEntries = (checked.pamtEntries ?? 0) + part.used / ENTRY;
  const findings = [...aliased, ...notPrivate(probe, base, part.used, new Set(cached.keys()))];
  for (const line of lines) {
    const copy = cached.get(line);
    // What another KeyID wrote is not decoded: the TD bit lets no read under the global KeyID return it.
    if (line >= end || (!copy && probe.hasTdBit && probe.line(line).keyId !== keyId)) continue;
    const bytes = copy ?? probe.plaintext(line);
    for (let at = 0; at < LINE && line + at < end; at += ENTRY) {
      const page = part.pageOf(line + at);
      const wrong = part.judge(page, decode(bytes, at));
      if (wrong && findings.length < MOST_FINDINGS)
        findings.push({
          oracle: 'pamt',
          severity: 'violation',
          text: `page ${hex(page)} ${wrong}`,
          pa: line + at,
          event: probe.line(line).writer,
        });
    }
  }
  return findings;
}

function* nonZeroLines(probe: Probe, base: number, end: number): Generator<number> {
  for (let line = probe.nextNonZero(base, end); line >= 0; line = probe.nextNonZero(line + LINE, end)) {
    yield line;
    if (line + LINE >= end) return;
  }
}

/** Copies under the global KeyID go before DRAM; dirty copies of others lie in wait over it (S0-30). */
function cachedLines(probe: Probe, keyId: number, base: number, bytes: number) {
  const cached = new Map<number, Uint8Array>();
  const aliases = new Lines();
  probe.cachedIn(base, bytes, (pa, copy) => {
    if (copy.keyId === keyId) cached.set(pa, copy.data);
    else if (copy.dirty) aliases.add(pa, 1, copy.writer);
  });
  const aliased = aliases.finding('latent', 'lie under dirty cached lines of another KeyID: their eviction destroys entries');
  return { cached, aliased };
}

/** PAMT lines that the module's next read would poison, because DRAM holds what another KeyID wrote; and those poisoned already. */
function notPrivate(probe: Probe, base: number, bytes: number, cached: ReadonlySet<number>): Finding[] {
  const [foreign, poisoned] = [new Lines(), new Lines()];
  const gap = (from: number, to: number): void => {
    for (let line = from; line < to; line += LINE) if (!cached.has(line)) foreign.add(line, 1, probe.line(line).writer);
  };
  let at = base;
  probe.privateRuns(base, bytes, (pa, lines, state) => {
    gap(at, pa);
    at = pa + lines * LINE;
    if (state.poison) poisoned.add(pa, lines, state.writer);
  });
  if (probe.hasTdBit) gap(at, base + bytes);
  return [
    ...foreign.finding('latent', 'were last written under another KeyID (TD bit 0): the next read of the module poisons them'),
    ...poisoned.finding('violation', 'are poisoned'),
  ];
}

/** Lines with the same fault: how many, and the first. */
class Lines {
  #count = 0;
  #pa = 0;
  #event = 0;

  add(pa: number, lines: number, event: number): void {
    if (this.#count === 0) {
      this.#pa = pa;
      this.#event = event;
    }
    this.#count += lines;
  }

  finding(severity: Finding['severity'], what: string): Finding[] {
    if (this.#count === 0) return [];
    const text = `${this.#count} PAMT lines (the first at ${hex(this.#pa)}) ${what}`;
    return [{ oracle: 'pamt', severity, text, pa: this.#pa, event: this.#event }];
  }
}
