/** Each oracle, once with nothing wrong and once with one rule broken. */
import { describe, expect, it } from 'vitest';
import type { Machine } from '../../../src/lab/machine.ts';
import {
  auditFreeMemory,
  auditLedger,
  auditPamt,
  type Finding,
  LEDGER_LEAVES,
  Ledger,
  runOracles,
} from '../../../src/lab/oracles/index.ts';
import { Attacker } from '../../../src/platform/index.ts';
import { seamcallName, TDH } from '../../../src/spec/leaves.ts';
import { booted, on, SmallTd, tdmrsOf } from '../world.ts';

const ledgerOf = (machine: Machine, live = false): Finding[] => auditLedger(new Ledger(machine.probe), live);
const pamtOf = (machine: Machine): Finding[] => auditPamt(machine.probe, new Ledger(machine.probe), tdmrsOf(machine));
const texts = (findings: readonly Finding[]): string => findings.map(({ text }) => text).join('\n');

/** Address of the 4 KiB PAMT entry of a page. */
function pamtEntry(machine: Machine, page: number): number {
  const tdmr = tdmrsOf(machine).find(({ base, size }) => page >= base && page < base + size)!;
  return tdmr.pamt[0].base + ((page - tdmr.base) / 4096) * 16;
}
const lineOf = (pa: number): number => pa - (pa % 64);

describe('ledger', () => {
  it('names only leaves that exist', () => {
    const known = new Set(Object.values(TDH).map((leaf) => seamcallName(leaf)));
    expect(LEDGER_LEAVES.filter((leaf) => !known.has(leaf))).toEqual([]);
  });

  it('[SX-05] a page that stays with the module is a leak; all pages back are none', () => {
    const clean = booted();
    new SmallTd(clean).teardown();
    expect(ledgerOf(clean)).toEqual([]);

    const leaky = booted();
    const td = new SmallTd(leaky);
    td.flushDone();
    td.writeBack();
    td.freeKeyId();
    for (const page of td.controlPages.slice(1)) td.reclaim(page);
    const findings = ledgerOf(leaky);
    expect(texts(findings)).toMatch(/1 TDCX page/);
    expect(findings.map(({ pa }) => pa)).toContain(td.controlPages[0]);
    expect(ledgerOf(leaky, true)).toEqual([]);
  });

  it('[SX-05] a KeyID that was never freed is a leak', () => {
    const machine = booted();
    const { keyId } = new SmallTd(machine);
    expect(texts(ledgerOf(machine))).toContain(`KeyID ${keyId} `);
  });

  it('[SX-05] a module that frees a KeyID before the caches are written back is caught', () => {
    const machine = booted();
    const td = new SmallTd(machine);
    td.flushDone();
    machine.module!.faults.inject('MNG_KEY_FREEID', 0n);
    td.freeKeyId();
    expect(texts(ledgerOf(machine, true))).toMatch(/before the caches of all 2 packages were written back/);
  });

  it('[SX-05] a module that gives a page away twice is caught', () => {
    const machine = booted();
    const td = new SmallTd(machine);
    machine.module!.faults.inject('PHYMEM_PAGE_RECLAIM', 0n, 0, 2);
    td.reclaim(td.controlPages[0]!);
    td.reclaim(td.controlPages[0]!);
    const found = texts(ledgerOf(machine, true));
    expect(found).toMatch(/reclaimed while its TD held a KeyID/);
    expect(found).toMatch(/was taken back, but nobody had it/);
  });
});

describe('pamt', () => {
  it('agrees with the ledger before, during and after a TD', () => {
    const machine = booted();
    expect(pamtOf(machine)).toEqual([]);
    const td = new SmallTd(machine);
    expect(pamtOf(machine)).toEqual([]);
    td.teardown();
    const { findings, checked } = runOracles(machine.probe, { tdmrs: tdmrsOf(machine) });
    expect(findings).toEqual([]);
    expect(checked.pamtEntries).toBe(2 * (2 ** 19 + 2 ** 10 + 2));
  });

  it('[SX-05] a RECLAIM that says success and leaves the entry is caught', () => {
    const machine = booted();
    const td = new SmallTd(machine);
    td.flushDone();
    td.writeBack();
    td.freeKeyId();
    machine.module!.faults.inject('PHYMEM_PAGE_RECLAIM', 0n);
    td.reclaim(td.controlPages[0]!);
    const [finding, ...rest] = pamtOf(machine);
    expect(rest).toEqual([]);
    expect(finding).toMatchObject({ severity: 'violation', pa: pamtEntry(machine, td.controlPages[0]!) });
    expect(finding!.text).toMatch(/is PT_TDCX of the TD at .*given it to nobody/);
  });

  it('[SX-05] a CREATE that says success and does nothing is caught', () => {
    const machine = booted();
    machine.module!.faults.inject('MNG_CREATE', 0n);
    machine.module!.faults.inject('MNG_KEY_CONFIG', 0n, 0, 2);
    machine.module!.faults.inject('MNG_ADDCX', 0n, 0, 6);
    const td = new SmallTd(machine);
    const findings = pamtOf(machine);
    expect(findings).toHaveLength(7);
    expect(findings.map(({ pa }) => pa)).toContain(pamtEntry(machine, td.tdr));
    expect(texts(findings)).toMatch(/is PT_NDA, but the host gave it as PT_TDR/);
  });

  it('[SX-05] a dirty line of the host over PAMT is latent; evicted, it is in DRAM and still unread', () => {
    const machine = booted();
    const page = machine.kernel!.pages.alloc_page(machine.kernel!.cpus[0]!, 'test')!;
    const line = lineOf(pamtEntry(machine, page));
    on(machine, 0, function* (cpu) {
      cpu.lp.store64(line, 0n);
    });
    const aliased = pamtOf(machine);
    expect(aliased.map(({ severity }) => severity)).toEqual(['latent']);
    expect(aliased[0]!.text).toMatch(/1 PAMT lines .*under dirty cached lines of another KeyID/);
    for (const lp of machine.platform.lps) lp.wbnoinvd();
    expect(texts(pamtOf(machine))).toMatch(/\(TD bit 0\)/);
    expect(pamtOf(machine).every(({ pa }) => pa === line)).toBe(true);
  });

  it('[SX-05] one bit flipped in a PAMT line of DRAM is caught', () => {
    const machine = booted();
    for (const lp of machine.platform.lps) lp.wbinvd();
    const line = tdmrsOf(machine)[1]!.pamt[0].base;
    expect(pamtOf(machine)).toEqual([]);
    new Attacker(machine.platform).flip(line, 'data', 200);
    expect(pamtOf(machine).map(({ pa }) => lineOf(pa!))).toContain(line);
  });
});

describe('poison', () => {
  /** PAMT as the next kernel gets it: memory like any other. */
  const asFree = (machine: Machine) => tdmrsOf(machine).flatMap(({ pamt }) => [...pamt]);

  it('[SX-05] private lines in free memory are found on an erratum part, and only there', () => {
    const spr = booted({ 'cpu.model': 'SPR' });
    expect(auditFreeMemory(spr.probe, spr.kernel!.pages.freeRanges())).toEqual([]);
    expect(texts(auditFreeMemory(spr.probe, asFree(spr)))).toMatch(/TD bit 1/);
    const gnr = booted({ 'cpu.model': 'GNR' });
    for (const lp of gnr.platform.lps) lp.wbinvd();
    expect(auditFreeMemory(gnr.probe, asFree(gnr))).toEqual([]);
  });

  it('[SX-05] a partial write poisons such a line, and MOVDIR64B over all of them cures it', () => {
    const machine = booted({ 'cpu.model': 'SPR' });
    const lp = machine.platform.lps[0]!;
    for (const each of machine.platform.lps) each.wbinvd();
    const free = asFree(machine);
    lp.directStore('nt-store', free[0]!.base, 4);
    expect(texts(auditFreeMemory(machine.probe, free))).toMatch(/1 lines \(64 bytes\) poisoned/);
    for (const { base, size } of free) lp.movdir64bFill(base, size);
    expect(auditFreeMemory(machine.probe, free)).toEqual([]);
  });
});
