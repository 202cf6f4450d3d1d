import type { Probe } from '../../platform/probe.ts';
import { PT } from '../../spec/states.ts';
import { type Call, successfulCalls } from './calls.ts';
import { type Finding, hex, listed } from './finding.ts';
import { levelBytes, PageBook } from './page-book.ts';

const PAGE_MASK = ~0xfffn;
const LEVEL_MASK = 7n;
/** SEPT.ADD: the page in R8 was not needed. */
const PAGE_NOT_USED = 1n << 63n;
const KEYID_MASK = 0xffffn;
const TYPE_NAMES: ReadonlyMap<number, string> = new Map(Object.entries(PT).map(([name, type]) => [type, name]));

/** A KeyID that a TD holds. */
interface HeldKeyId {
  readonly tdr: number;
  readonly event: number;
  flushed: boolean;
  /** Packages whose caches were written back since the flush. */
  readonly writtenBack: Set<number>;
}

/** The host's account with the module: pages and KeyIDs given and taken back, from the log of SEAMCALLs alone. */
export class Ledger {
  readonly book = new PageBook();
  readonly keyIds = new Map<number, HeldKeyId>();
  /** KeyID of the module's own metadata; -1 before TDH.SYS.CONFIG. */
  globalKeyId = -1;
  /** For each TDMR base: the address below which its PAMT is initialised. */
  readonly initialized = new Map<number, number>();
  readonly findings: Finding[] = [];
  /** SEAMCALLs replayed. */
  readonly calls: number;
  readonly #probe: Probe;

  constructor(probe: Probe) {
    this.#probe = probe;
    const calls = successfulCalls(probe);
    this.calls = calls.length;
    for (const call of calls) RULES[call.name]?.(this, call);
  }

  /** The module starts anew: what it knew is gone. */
  restart(): void {
    this.book.pages.clear();
    this.keyIds.clear();
    this.initialized.clear();
    this.globalKeyId = -1;
  }

  give(call: Call, pa: number, type: number, tdr: number, level = 0, gpa = -1): void {
    this.#note(call, pa, this.book.give({ pa, level, type, tdr, gpa, event: call.event }));
  }

  take(call: Call, pa: number): void {
    this.#note(call, pa, this.book.take(pa));
  }

  takeKeyId(call: Call, keyId: number, tdr: number): void {
    if (keyId === this.globalKeyId || this.keyIds.has(keyId))
      this.#object(call, `KeyID ${keyId} was given to the TD at ${hex(tdr)} while it was taken`);
    this.keyIds.set(keyId, { tdr, event: call.event, flushed: false, writtenBack: new Set() });
  }

  flushKeyId(call: Call, tdr: number): void {
    const held = this.#held(tdr);
    if (!held) this.#object(call, `the TD at ${hex(tdr)} has no KeyID to flush`);
    else held[1].flushed = true;
  }

  /** TDH.PHYMEM.CACHE.WB has come to its end on this package. */
  writeBack(call: Call): void {
    const pkg = this.#probe.packageOf(call.lp);
    for (const held of this.keyIds.values()) if (held.flushed) held.writtenBack.add(pkg);
  }

  freeKeyId(call: Call, tdr: number): void {
    const held = this.#held(tdr);
    if (!held) {
      this.#object(call, `the TD at ${hex(tdr)} had no KeyID to free`);
      return;
    }
    const [keyId, { flushed, writtenBack }] = held;
    if (!flushed || writtenBack.size < this.#probe.packages)
      this.#object(call, `KeyID ${keyId} was freed before the caches of all ${this.#probe.packages} packages were written back`);
    this.keyIds.delete(keyId);
  }

  /** A page of a TD may go back only when nobody can write it under the TD's KeyID any more. */
  reclaim(call: Call, pa: number): void {
    const page = this.book.pages.get(pa);
    if (page && this.#held(page.tdr)) this.#object(call, `page ${hex(pa)} was reclaimed while its TD held a KeyID`, pa);
    if (page?.type === PT.TDR && this.book.ofTd(pa).length > 0)
      this.#object(call, `the TDR at ${hex(pa)} was reclaimed before ${listed(addresses(this.book.ofTd(pa)), 'page')}`, pa);
    this.take(call, pa);
  }

  #held(tdr: number): [number, HeldKeyId] | undefined {
    return [...this.keyIds].find(([, held]) => held.tdr === tdr);
  }

  #note(call: Call, pa: number, wrong: string | null): void {
    if (wrong) this.#object(call, `page ${hex(pa)} ${wrong}`, pa);
  }

  #object(call: Call, what: string, pa?: number): void {
    const text = `${call.name}: ${what}`;
    this.findings.push({ oracle: 'ledger', severity: 'violation', text, event: call.event, ...(pa !== undefined && { pa }) });
  }
}

const page = (operand: bigint): number => Number(operand & PAGE_MASK);
const level = (operand: bigint): number => Number(operand & LEVEL_MASK);
const addresses = (pages: readonly { readonly pa: number }[]): number[] => pages.map(({ pa }) => pa);
const ownerTdr = (ledger: Ledger, control: bigint): number => ledger.book.ownerOf(page(control))?.tdr ?? 0;

/** What each leaf moves between the host and the module (leaf-checks.md, effects). Leaves that move nothing have no rule. */
const RULES: Readonly<Record<string, (ledger: Ledger, call: Call) => void>> = {
  'TDH.SYS.INIT': (ledger) => ledger.restart(),
  'TDH.SYS.CONFIG': (ledger, { r8 }) => {
    ledger.globalKeyId = Number(r8 & KEYID_MASK);
  },
  'TDH.SYS.TDMR.INIT': (ledger, { rcx, out }) => {
    ledger.initialized.set(Number(rcx), Number(out.rdx));
  },
  'TDH.MNG.CREATE': (ledger, call) => {
    ledger.give(call, page(call.rcx), PT.TDR, page(call.rcx));
    ledger.takeKeyId(call, Number(call.rdx & KEYID_MASK), page(call.rcx));
  },
  'TDH.MNG.ADDCX': (ledger, call) => ledger.give(call, page(call.rcx), PT.TDCX, page(call.rdx)),
  'TDH.VP.CREATE': (ledger, call) => ledger.give(call, page(call.rcx), PT.TDVPR, page(call.rdx)),
  'TDH.VP.ADDCX': (ledger, call) => ledger.give(call, page(call.rcx), PT.TDCX, ownerTdr(ledger, call.rdx)),
  'TDH.MEM.SEPT.ADD': (ledger, call) => {
    if (call.out.r8 !== (call.r8 | PAGE_NOT_USED)) ledger.give(call, page(call.r8), PT.EPT, page(call.rdx));
  },
  'TDH.MEM.PAGE.ADD': (ledger, call) => ledger.give(call, page(call.r8), PT.REG, page(call.rdx), 0, page(call.rcx)),
  'TDH.MEM.PAGE.AUG': (ledger, call) => ledger.give(call, page(call.r8), PT.REG, page(call.rdx), level(call.rcx), page(call.rcx)),
  'TDH.MEM.PAGE.RELOCATE': (ledger, call) => {
    ledger.take(call, page(call.out.rcx));
    ledger.give(call, page(call.r8), PT.REG, page(call.rdx), 0, page(call.rcx));
  },
  'TDH.MEM.PAGE.REMOVE': (ledger, call) => ledger.take(call, page(call.out.rcx)),
  'TDH.MEM.SEPT.REMOVE': (ledger, call) => ledger.take(call, page(call.out.rcx)),
  'TDH.MEM.PAGE.PROMOTE': (ledger, call) => {
    ledger.take(call, page(call.out.rcx));
    resize(ledger, call, level(call.rcx) - 1, level(call.rcx));
  },
  'TDH.MEM.PAGE.DEMOTE': (ledger, call) => {
    resize(ledger, call, level(call.rcx), level(call.rcx) - 1);
    ledger.give(call, page(call.r8), PT.EPT, page(call.rdx));
  },
  'TDH.PHYMEM.PAGE.RECLAIM': (ledger, call) => ledger.reclaim(call, page(call.rcx)),
  'TDH.MNG.VPFLUSHDONE': (ledger, call) => ledger.flushKeyId(call, page(call.rcx)),
  'TDH.PHYMEM.CACHE.WB': (ledger, call) => ledger.writeBack(call),
  'TDH.MNG.KEY.FREEID': (ledger, call) => ledger.freeKeyId(call, page(call.rcx)),
};

/** Guest memory changes its page size: the same bytes, other leaves. */
function resize(ledger: Ledger, call: Call, from: number, to: number): void {
  const [tdr, gpa] = [page(call.rdx), page(call.rcx)];
  const first = ledger.book.mapped(tdr, gpa)?.pa ?? 0;
  const bytes = levelBytes(Math.max(from, to));
  for (let at = 0; at < bytes; at += levelBytes(from)) ledger.take(call, first + at);
  for (let at = 0; at < bytes; at += levelBytes(to)) ledger.give(call, first + at, PT.REG, tdr, to, gpa + at);
}

/** Leaves that the ledger follows, for tests that compare them with the specification's. */
export const LEDGER_LEAVES: readonly string[] = Object.keys(RULES);

/** Violations on the way, and what the host never got back. `live`: TDs may still run, so pages and KeyIDs in use are no leaks. */
export function auditLedger(ledger: Ledger, live = false): Finding[] {
  return live ? ledger.findings : [...ledger.findings, ...leakedPages(ledger), ...leakedKeyIds(ledger)];
}

function leakedPages(ledger: Ledger): Finding[] {
  const groups = new Map<string, { type: number; tdr: number; pages: number[]; event: number }>();
  for (const { pa, type, tdr, event } of ledger.book.pages.values()) {
    const group = groups.get(`${tdr}/${type}`) ?? { type, tdr, pages: [], event };
    group.pages.push(pa);
    groups.set(`${tdr}/${type}`, group);
  }
  return [...groups.values()].map(({ type, tdr, pages, event }) => ({
    oracle: 'ledger',
    severity: 'violation',
    text: `never taken back from the TD at ${hex(tdr)}: ${listed(pages, `${TYPE_NAMES.get(type)} page`)}`,
    pa: pages[0]!,
    event,
  }));
}

const leakedKeyIds = (ledger: Ledger): Finding[] =>
  [...ledger.keyIds].map(([keyId, { tdr, event }]) => ({
    oracle: 'ledger',
    severity: 'violation',
    text: `KeyID ${keyId} of the TD at ${hex(tdr)} was never freed`,
    event,
  }));
