import { describe, expect, it } from 'vitest';
import { cpuidConfig, cpuidEntries, cpuidLookup } from '../../src/spec/cpuid.ts';
import { ATTRIBUTES, CONFIG_FLAGS, TD_PARAMS, TDCS, TDR, XFAM } from '../../src/spec/layouts.ts';
import { MD_TD } from '../../src/spec/metadata.ts';
import { MSR } from '../../src/spec/msr.ts';
import { OP_STATE } from '../../src/spec/op-state.ts';
import { KOT_STATE, LIFECYCLE, PT } from '../../src/spec/states.ts';
import * as S from '../../src/spec/status.ts';
import { OPERAND, type OperandName } from '../../src/spec/status.ts';
import { ModuleHost, PAGE, readyTd, TestTd, tdParams } from './harness.ts';

const invalid = (operand: OperandName): bigint => S.TDX_OPERAND_INVALID | OPERAND[operand];
const GLOBAL = 16;

/** A TD up to `pages` TDCX pages, without MNG.INIT. */
const rawTd = (
  pages = 6,
  host = new ModuleHost(),
): { readonly host: ModuleHost; readonly tdr: number; readonly hkid: number } => {
  const tdr = host.page();
  const hkid = host.hkid();
  host.ok('MNG_CREATE', { rcx: tdr, rdx: hkid });
  for (const lp of host.onePerPackage()) host.ok('MNG_KEY_CONFIG', { rcx: tdr }, lp);
  for (let i = 0; i < pages; i++) host.ok('MNG_ADDCX', { rcx: host.page(), rdx: tdr });
  return { host, tdr, hkid };
};

describe('TDH.MNG.CREATE', () => {
  it('checks KeyID, page, page type and KOT in this order', () => {
    const host = new ModuleHost();
    const page = host.page();
    const create = (rcx: number | bigint, rdx: number | bigint) => host.call('MNG_CREATE', { rcx, rdx }).status;
    expect(create(page + 8, 15)).toBe(invalid('RDX'));
    expect(create(page + 8, 16n | (1n << 16n))).toBe(invalid('RDX'));
    expect(create(page + 8, GLOBAL)).toBe(invalid('RCX'));
    expect(create(BigInt(page) | (1n << 46n), GLOBAL)).toBe(invalid('RCX'));
    expect(create(16 * 2 ** 20, GLOBAL)).toBe(S.TDX_OPERAND_ADDR_RANGE_ERROR | OPERAND.RCX);
    expect(create(page, GLOBAL)).toBe(S.TDX_HKID_NOT_FREE);
    expect(create(page, 20)).toBe(S.TDX_SUCCESS);
    expect(create(page, 21)).toBe(S.TDX_PAGE_METADATA_INCORRECT | OPERAND.RCX);
    expect(create(host.page(), 20)).toBe(S.TDX_HKID_NOT_FREE);
  });

  it('without entropy nothing but the page’s content changes', () => {
    const host = new ModuleHost();
    const page = host.page();
    host.module.entropy.failNext('MNG_CREATE', 1);
    expect(host.call('MNG_CREATE', { rcx: page, rdx: 20 }).status).toBe(S.TDX_RND_NO_ENTROPY);
    expect(host.module.kot.at(20).state).toBe(KOT_STATE.FREE);
    expect(host.ok('PHYMEM_PAGE_RDMD', { rcx: page }).rcx).toBe(BigInt(PT.NDA));
    expect(host.call('MNG_CREATE', { rcx: page, rdx: 20 }).status).toBe(S.TDX_SUCCESS);
  });

  it('[S0-14] the TDR lies under the global KeyID, the TD’s control pages under its own', () => {
    const host = new ModuleHost();
    const td = readyTd(host, function* () {});
    for (const lp of host.platform.lps) lp.wbinvd();
    const keyIdOf = (pa: number): number => host.platform.core.inspect(pa).keyId;
    expect(keyIdOf(td.tdr)).toBe(GLOBAL);
    for (const page of td.tdcx) expect(keyIdOf(page)).toBe(td.hkid);
    expect(keyIdOf(td.vcpus[0]!)).toBe(td.hkid);
    expect(td.hkid).not.toBe(GLOBAL);
  });
});

describe('TDH.MNG.KEY.CONFIG', () => {
  it('needs every package once; after the last one it is a lifecycle error', () => {
    const host = new ModuleHost();
    const [first, second] = host.onePerPackage();
    const tdr = host.page();
    host.ok('MNG_CREATE', { rcx: tdr, rdx: 20 });
    const config = (lp = first!) => host.call('MNG_KEY_CONFIG', { rcx: tdr }, lp).status;
    expect(host.call('MNG_ADDCX', { rcx: host.page(), rdx: tdr }).status).toBe(S.TDX_TD_KEYS_NOT_CONFIGURED);
    expect(config()).toBe(S.TDX_SUCCESS);
    expect(config()).toBe(S.TDX_KEY_CONFIGURED);
    host.module.entropy.failNext('MNG_KEY_CONFIG', 1);
    expect(config(second)).toBe(S.TDX_KEY_GENERATION_FAILED);
    expect(config(second)).toBe(S.TDX_SUCCESS);
    expect(config()).toBe(S.TDX_LIFECYCLE_STATE_INCORRECT);
  });

  it('a key table that another LP of the package holds is OPERAND_BUSY | KET, a locked TDR OPERAND_BUSY | RCX', () => {
    const host = new ModuleHost();
    const [lp] = host.onePerPackage();
    const sibling = host.platform.lps.find((other) => other !== lp && other.package === lp!.package)!;
    const [one, two] = [host.page(), host.page()];
    host.ok('MNG_CREATE', { rcx: one, rdx: 20 });
    host.ok('MNG_CREATE', { rcx: two, rdx: 21 });
    const together = (...calls: readonly (readonly [tdr: number, lp: typeof sibling])[]): string[] => {
      const now = Math.max(...host.platform.lps.map((each) => each.now));
      for (const each of host.platform.lps) each.joinTime(now);
      host.finish(...calls.map(([rcx, on]) => host.start('MNG_KEY_CONFIG', { rcx }, on)));
      return calls.map(([, on]) => host.resultOf(on).name).sort();
    };
    expect(together([one, lp!], [two, sibling])).toEqual(['TDX_OPERAND_BUSY | KET', 'TDX_SUCCESS']);
    expect(together([two, host.onePerPackage()[1]!], [two, sibling])).toEqual(['TDX_OPERAND_BUSY | RCX', 'TDX_SUCCESS']);
  });
});

describe('TDH.MNG.ADDCX', () => {
  it('adds six pages, three more while uninitialised, and no tenth', () => {
    const { host, tdr } = rawTd(9);
    expect(host.call('MNG_ADDCX', { rcx: host.page(), rdx: tdr }).status).toBe(S.TDX_TDCX_NUM_INCORRECT);
    const initialised = new TestTd(new ModuleHost());
    const page = initialised.host.page();
    expect(initialised.host.call('MNG_ADDCX', { rcx: page, rdx: initialised.tdr }).status).toBe(S.TDX_OP_STATE_INCORRECT);
    expect(initialised.host.ok('PHYMEM_PAGE_RDMD', { rcx: page }).rcx).toBe(BigInt(PT.NDA));
  });

  it('checks TDR, fatal, count and page in this order; the sixth page draws a key', () => {
    const { host, tdr } = rawTd(5);
    expect(host.call('MNG_ADDCX', { rcx: 1, rdx: host.page() }).status).toBe(S.TDX_PAGE_METADATA_INCORRECT | OPERAND.RDX);
    expect(host.call('MNG_ADDCX', { rcx: 1, rdx: tdr }).status).toBe(invalid('RCX'));
    expect(host.call('MNG_ADDCX', { rcx: tdr, rdx: tdr }).status).toBe(S.TDX_OPERAND_BUSY | OPERAND.RCX);
    host.module.entropy.failNext('MNG_ADDCX', 1);
    const page = host.page();
    expect(host.call('MNG_ADDCX', { rcx: page, rdx: tdr }).status).toBe(S.TDX_RND_NO_ENTROPY);
    expect(host.call('MNG_INIT', { rcx: tdr }).status).toBe(S.TDX_TDCS_NOT_ALLOCATED);
    expect(host.call('MNG_ADDCX', { rcx: page, rdx: tdr }).status).toBe(S.TDX_SUCCESS);
    host.poke(tdr + TDR.FATAL.offset, GLOBAL, Uint8Array.of(1));
    expect(host.call('MNG_ADDCX', { rcx: 1, rdx: tdr }).status).toBe(S.TDX_TD_FATAL);
  });
});

type Change = (bytes: Uint8Array) => void;
const set =
  (offset: number, ...bytes: number[]): Change =>
  (params) =>
    params.set(bytes, offset);
const [leaf1] = cpuidConfig();

/** TD_PARAMS that break one rule, in the order of leaf-checks.md §2. */
const PARAM_CHECKS: readonly (readonly [name: string, change: Change, status: bigint])[] = [
  ['ATTRIBUTES that this module does not know', (p) => TD_PARAMS.ATTRIBUTES.set(p, ATTRIBUTES.KL), invalid('ATTRIBUTES')],
  ['a migratable debug TD', (p) => TD_PARAMS.ATTRIBUTES.set(p, ATTRIBUTES.MIGRATABLE | ATTRIBUTES.DEBUG), invalid('ATTRIBUTES')],
  ['XFAM without SSE', (p) => TD_PARAMS.XFAM.set(p, 1n), invalid('XFAM')],
  ['XFAM with a part of AVX-512', (p) => TD_PARAMS.XFAM.set(p, 3n | XFAM.AVX | XFAM.AVX512_OPMASK), invalid('XFAM')],
  ['XFAM with AVX-512 without AVX', (p) => TD_PARAMS.XFAM.set(p, 3n | 0xe0n), invalid('XFAM')],
  ['no VCPUs', (p) => TD_PARAMS.MAX_VCPUS.set(p, 0), invalid('MAX_VCPUS')],
  ['more VCPUs than MAX_VCPUS_PER_TD', (p) => TD_PARAMS.MAX_VCPUS.set(p, 577), invalid('MAX_VCPUS')],
  ['four L2 VMs', (p) => TD_PARAMS.NUM_L2_VMS.set(p, 4), invalid('NUM_L2_VMS')],
  ['an L2 VM without its TDCX page', (p) => TD_PARAMS.NUM_L2_VMS.set(p, 1), S.TDX_TDCS_NOT_ALLOCATED],
  ['reserved bytes 20 to 23', set(20, 1), invalid('RDX')],
  ['CONFIG_FLAGS above bit 2', (p) => TD_PARAMS.CONFIG_FLAGS.set(p, 8n), invalid('EXEC_CONTROLS')],
  ['EPTP that is not write-back', (p) => TD_PARAMS.EPTP_CONTROLS.set(p, 0x18n), invalid('EPTP_CONTROLS')],
  ['a 52-bit guest with 4 levels', (p) => TD_PARAMS.CONFIG_FLAGS.set(p, CONFIG_FLAGS.GPAW), invalid('EPTP_CONTROLS')],
  ['TSC below 100 MHz', (p) => TD_PARAMS.TSC_FREQUENCY.set(p, 3), invalid('TSC_FREQUENCY')],
  ['reserved bytes 42 to 79', set(79, 1), invalid('RDX')],
  ['MSR_CONFIG_CTLS above bit 0', (p) => TD_PARAMS.MSR_CONFIG_CTLS.set(p, 2), invalid('RDX')],
  ['reserved bytes 232 to 255', set(232, 1), invalid('RDX')],
  ['a CPUID bit that the host may not set', set(TD_PARAMS.CPUID_CONFIG_VALUES.at(5), 1), invalid('CPUID_CONFIG')],
  ['HLE without RTM', set(TD_PARAMS.CPUID_CONFIG_VALUES.at(5) + 4, 1 << 4), invalid('CPUID_CONFIG')],
  ['reserved bytes after the CPUID values', set(TD_PARAMS.CPUID_CONFIG_VALUES.at(12), 1), invalid('RDX')],
  [
    'ARCH_CAPABILITIES without their control',
    (p) => TD_PARAMS.IA32_ARCH_CAPABILITIES_CONFIG.set(p, 0x10n),
    invalid('IA32_ARCH_CAPABILITIES_CONFIG'),
  ],
];

describe('TDH.MNG.INIT', () => {
  it('accepts good parameters once', () => {
    const { host, tdr } = rawTd();
    const rdx = host.buffer(tdParams());
    expect(host.call('MNG_INIT', { rcx: tdr, rdx: rdx + 64 }).status).toBe(invalid('RDX'));
    expect(host.call('MNG_INIT', { rcx: tdr, rdx: (16n << 46n) | BigInt(rdx) }).status).toBe(invalid('RDX'));
    expect(host.call('MNG_INIT', { rcx: tdr, rdx }).status).toBe(S.TDX_SUCCESS);
    expect(host.call('MNG_INIT', { rcx: tdr, rdx: 1 }).status).toBe(S.TDX_OP_STATE_INCORRECT);
  });

  const { host, tdr } = rawTd();
  for (const [name, change, status] of PARAM_CHECKS) {
    it(`${name} → ${S.statusName(status)}`, () => {
      const params = tdParams();
      change(params);
      expect(host.call('MNG_INIT', { rcx: tdr, rdx: host.buffer(params) }).name).toBe(S.statusName(status));
    });
  }

  it('answers with the earlier check when two rules are violated', () => {
    PARAM_CHECKS.forEach(([name, change, status], i) => {
      for (const [otherName, other, otherStatus] of PARAM_CHECKS.slice(i + 1)) {
        if (status === otherStatus) continue;
        const params = tdParams();
        change(params);
        const before = params.slice();
        other(params);
        const untouched = params.every((byte, at) => byte === before[at] || before[at] === tdParams()[at]);
        if (!untouched) continue;
        expect(host.call('MNG_INIT', { rcx: tdr, rdx: host.buffer(params) }).name, `${name}, ${otherName}`).toBe(
          S.statusName(status),
        );
      }
    });
  });

  it('names leaf and subleaf of a wrong CPUID input in RCX, and clears RCX otherwise', () => {
    const params = tdParams();
    params.set([1], TD_PARAMS.CPUID_CONFIG_VALUES.at(6) + 4);
    expect(host.call('MNG_INIT', { rcx: tdr, rdx: host.buffer(params) }).rcx).toBe((1n << 32n) | 7n);
    const fms = tdParams();
    new DataView(fms.buffer).setUint32(TD_PARAMS.CPUID_CONFIG_VALUES.at(0), 0x806f0, true);
    expect(host.call('MNG_INIT', { rcx: tdr, rdx: host.buffer(fms) }).rcx).toBe((0xffff_ffffn << 32n) | BigInt(leaf1!.leaf));
    expect(host.call('MNG_INIT', { rcx: tdr, rdx: 1 }).rcx).toBe(0n);
  });

  it('a changed IA32_TSC_ADJUST is TDX_INCONSISTENT_MSR, limited CPUID is seen before the TDR', () => {
    const { host: own, tdr: tdrOfOwn } = rawTd();
    own.lp.wrmsr(MSR.IA32_TSC_ADJUST, 5n);
    expect(own.call('MNG_INIT', { rcx: tdrOfOwn, rdx: own.buffer(tdParams()) }).status).toBe(
      S.TDX_INCONSISTENT_MSR | BigInt(MSR.IA32_TSC_ADJUST),
    );
    own.lp.wrmsr(MSR.IA32_MISC_ENABLE, 1n << 22n);
    expect(own.call('MNG_INIT', { rcx: 1 }).status).toBe(S.TDX_LIMIT_CPUID_MAXVAL_SET);
  });

  it('gives the TD the configured CPUID: native bits that the host allows, XFAM-gated bits, the TSC ratio', () => {
    const own = new ModuleHost();
    const td = new TestTd(own, { xfam: 7n });
    const word = (leaf: number, subleaf: number, register: number): number =>
      new DataView(td.tdcs(TDCS.CPUID_VALUES.item(cpuidLookup(leaf, subleaf))).buffer).getUint32(4 * register, true);
    expect(word(1, 0, 2) & (1 << 28), 'AVX was not allowed by the host').toBe(0);
    expect(word(0x15, 0, 1)).toBe(40);
    expect(word(0xd, 0, 0)).toBe(7);
    expect(word(0xd, 0, 2)).toBe(576 + 256);
    expect(word(0x80000008, 0, 0) >> 8).toBe(48);
    expect(td.tdcs(TDCS.CPUID_VALID.item(cpuidLookup(6, 0)))).toBe(0);
    expect(td.tdcs(TDCS.OP_STATE)).toBe(OP_STATE.INITIALIZED);
    expect(td.tdcs(TDCS.TD_EPOCH)).toBe(1n);
  });
});

describe('TDH.MNG.RD and WR', () => {
  it('reads fields, walks them in version 1, and refuses ids and masks in order', () => {
    const td = new TestTd(new ModuleHost(), { maxVcpus: 3 });
    const { host } = td;
    const rd = (rdx: bigint, version = 0) => host.call('MNG_RD', { rcx: td.tdr, rdx }, host.lp, version);
    expect(rd(MD_TD.MAX_VCPUS).r8).toBe(3n);
    expect(rd(MD_TD.HKID).r8).toBe(BigInt(td.hkid));
    expect(rd(MD_TD.MAX_VCPUS | (1n << 24n)).status).toBe(S.TDX_METADATA_FIELD_ID_INCORRECT);
    expect(rd(0x00ff_ffffn).status).toBe(S.TDX_METADATA_FIELD_ID_INCORRECT);
    expect(rd(MD_TD.TD_CTLS).status).toBe(S.TDX_METADATA_FIELD_NOT_READABLE);
    const all = (1n << 64n) - 1n;
    let answer = rd(all, 1);
    expect(answer.status).toBe(S.TDX_METADATA_FIRST_FIELD_ID_IN_CONTEXT);
    let count = 0;
    for (; answer.rdx !== all; count++) answer = rd(answer.rdx, 1);
    expect(count).toBeGreaterThan(100);
    expect(answer.status).toBe(S.TDX_SUCCESS);
  });

  it('finds CPUID values by leaf and sub-leaf, and walks over those that are a #VE', () => {
    const td = new TestTd(new ModuleHost());
    const { host } = td;
    const rd = (code: number, version = 0) =>
      host.call('MNG_RD', { rcx: td.tdr, rdx: MD_TD.CPUID_VALUES | BigInt(code) }, host.lp, version);
    const stored = (leaf: number, subleaf: number): BigUint64Array =>
      new BigUint64Array(td.tdcs(TDCS.CPUID_VALUES.item(cpuidLookup(leaf, subleaf))).slice().buffer);
    const NO_SUBLEAF = 0x1fe;
    expect([rd(NO_SUBLEAF).r8, rd(NO_SUBLEAF | 1).r8]).toEqual([...stored(0, 0)]);
    expect([rd((7 << 9) | (0 << 1)).r8, rd((7 << 9) | 1).r8]).toEqual([...stored(7, 0)]);
    expect(rd((0xd << 9) | (1 << 1)).r8).toBe(stored(0xd, 1)[0]);
    expect(stored(0xd, 1)[0]).not.toBe(stored(0xd, 0)[0]);
    expect(rd((1 << 16) | (8 << 9) | NO_SUBLEAF).r8).toBe(stored(0x8000_0008, 0)[0]);
    // An entry without sub-leaves answers for each; one with sub-leaves does not answer without.
    expect(rd(5 << 1).r8).toBe(stored(0, 0)[0]);
    expect(rd((7 << 9) | NO_SUBLEAF).status).toBe(S.TDX_METADATA_FIELD_ID_INCORRECT);
    expect(rd((4 << 9) | (0x7f << 1)).status).toBe(S.TDX_METADATA_FIELD_ID_INCORRECT);
    expect(rd((1 << 17) | NO_SUBLEAF).status).toBe(S.TDX_METADATA_FIELD_ID_INCORRECT);
    expect(rd((6 << 9) | NO_SUBLEAF).status).toBe(S.TDX_METADATA_FIELD_NOT_READABLE);
    const ids: bigint[] = [];
    const isCpuid = (id: bigint) => id >> 17n === MD_TD.CPUID_VALUES >> 17n;
    let next = rd((1 << 9) | NO_SUBLEAF, 1);
    for (; isCpuid(next.rdx); next = host.call('MNG_RD', { rcx: td.tdr, rdx: next.rdx }, host.lp, 1)) {
      expect(next.status).toBe(S.TDX_SUCCESS);
      ids.push(next.rdx);
    }
    expect(ids.length + 1).toBe(2 * cpuidEntries().filter((entry) => !entry.causesVe).length);
  });

  it('writes what is writable, and refuses the rest', () => {
    const td = new TestTd(new ModuleHost());
    const { host } = td;
    const all = (1n << 64n) - 1n;
    const wr = (rdx: bigint, r8: bigint, r9 = all) => host.call('MNG_WR', { rcx: td.tdr, rdx, r8, r9 });
    expect(wr(MD_TD.MAX_VCPUS, 1n).status).toBe(S.TDX_METADATA_FIELD_NOT_WRITABLE);
    expect(wr(MD_TD.HP_LOCK_TIMEOUT, 2_000_000n, 0n).status).toBe(S.TDX_METADATA_FIELD_NOT_WRITABLE);
    expect(wr(MD_TD.HP_LOCK_TIMEOUT, 9_999n).status).toBe(S.TDX_METADATA_FIELD_VALUE_NOT_VALID);
    expect(wr(MD_TD.HP_LOCK_TIMEOUT, 2_000_000n).r8).toBe(1_000_000n);
    expect(host.call('MNG_RD', { rcx: td.tdr, rdx: MD_TD.HP_LOCK_TIMEOUT }).r8).toBe(2_000_000n);
  });
});

describe('teardown', () => {
  const built = () => {
    const host = new ModuleHost();
    const td = new TestTd(host);
    const tdvpr = td.vcpu();
    return { host, td, tdvpr };
  };

  it('[S2-80] flush, VPFLUSHDONE, CACHE.WB on each package, FREEID, reclaim, TDR last; each step early is refused', () => {
    const { host, td, tdvpr } = built();
    const [first, second] = host.onePerPackage();
    const status = (name: Parameters<ModuleHost['call']>[0], rcx: number, lp = first!) => host.call(name, { rcx }, lp).status;
    expect(status('MNG_VPFLUSHDONE', td.tdr)).toBe(S.TDX_FLUSHVP_NOT_DONE);
    expect(status('MNG_KEY_FREEID', td.tdr)).toBe(S.TDX_LIFECYCLE_STATE_INCORRECT);
    host.ok('VP_FLUSH', { rcx: tdvpr });
    host.ok('MNG_VPFLUSHDONE', { rcx: td.tdr });
    expect(td.tdrField(TDR.LIFECYCLE_STATE)).toBe(LIFECYCLE.BLOCKED);
    expect(status('MNG_VPFLUSHDONE', td.tdr)).toBe(S.TDX_LIFECYCLE_STATE_INCORRECT);
    expect(status('PHYMEM_PAGE_RECLAIM', td.tdcx[0]!)).toBe(S.TDX_LIFECYCLE_STATE_INCORRECT);
    host.ok('PHYMEM_CACHE_WB', { rcx: 0 }, first);
    expect(status('MNG_KEY_FREEID', td.tdr)).toBe(S.TDX_WBCACHE_NOT_COMPLETE);
    host.ok('PHYMEM_CACHE_WB', { rcx: 0 }, second);
    host.ok('MNG_KEY_FREEID', { rcx: td.tdr });
    expect(host.module.kot.at(td.hkid).state).toBe(KOT_STATE.FREE);
    expect(status('PHYMEM_PAGE_RECLAIM', td.tdr)).toBe(S.TDX_TD_ASSOCIATED_PAGES_EXIST);
    const base = td.tdr;
    const reclaimed: number[] = [];
    for (let page = base; page < base + 64 * PAGE; page += PAGE) {
      if (page !== td.tdr && host.call('PHYMEM_PAGE_RECLAIM', { rcx: page }).status === S.TDX_SUCCESS) reclaimed.push(page);
    }
    expect(reclaimed).toHaveLength(6 + 3 + 6);
    expect(td.tdrField(TDR.CHLDCNT)).toBe(0n);
    expect(status('PHYMEM_PAGE_RECLAIM', td.tdr)).toBe(S.TDX_SUCCESS);
    expect(host.ok('PHYMEM_PAGE_RDMD', { rcx: td.tdr }).rcx).toBe(BigInt(PT.NDA));
    expect(host.call('MNG_CREATE', { rcx: td.tdr, rdx: td.hkid }).status).toBe(S.TDX_SUCCESS);
  });

  it('[S2-81] CACHE.WB stops for an interrupt and resumes; a wrong resume and "nothing to do" have their statuses', () => {
    const { host, td, tdvpr } = built();
    const [lp] = host.onePerPackage();
    expect(host.call('PHYMEM_CACHE_WB', { rcx: 2 }).status).toBe(invalid('RCX'));
    const nothing = host.call('PHYMEM_CACHE_WB', { rcx: 0 }).status;
    expect(nothing).toBe(S.TDX_NO_HKID_READY_TO_WBCACHE);
    expect(S.isError(nothing)).toBe(false);
    host.ok('VP_FLUSH', { rcx: tdvpr });
    host.ok('MNG_VPFLUSHDONE', { rcx: td.tdr });
    expect(host.call('PHYMEM_CACHE_WB', { rcx: 1 }).status).toBe(0xc000_0823_0000_0000n);
    const task = host.start('PHYMEM_CACHE_WB', { rcx: 0 }, lp);
    const sender = host.platform.lps.at(-1)!;
    sender.joinTime(lp!.now);
    const poke = host.platform.scheduler.spawn(
      sender,
      'ipi',
      (function* () {
        for (; host.module.writeBacks[lp!.package] === null; sender.spend(50)) yield 'pause' as const;
        host.platform.interrupt(sender, lp!, function* () {});
      })(),
    );
    host.finish(task, poke);
    expect(host.resultOf(lp!).status).toBe(0x8000_0003_0000_0000n);
    expect(host.module.kot.at(td.hkid).wbinvdBitmap).toBe(3n);
    expect(host.call('PHYMEM_CACHE_WB', { rcx: 1 }, lp).status).toBe(S.TDX_SUCCESS);
    expect(host.module.kot.at(td.hkid).wbinvdBitmap).toBe(2n);
    expect(host.call('PHYMEM_CACHE_WB', { rcx: 1 }, lp).status).toBe(S.TDX_WBCACHE_RESUME_ERROR);
  });
});

describe('TDH.PHYMEM.PAGE.*', () => {
  it('RDMD tells type, owner, size and epoch of any page', () => {
    const td = new TestTd(new ModuleHost());
    const { host } = td;
    const rdmd = (rcx: number | bigint) => host.call('PHYMEM_PAGE_RDMD', { rcx });
    expect(rdmd(td.tdr + 8).status).toBe(invalid('RCX'));
    const tdcx = rdmd(td.tdcx[0]!);
    expect([tdcx.rcx, tdcx.rdx, tdcx.r8]).toEqual([BigInt(PT.TDCX), BigInt(td.tdr), 0n]);
    const tdr = rdmd(td.tdr);
    expect([tdr.rcx, tdr.rdx]).toEqual([BigInt(PT.TDR), 0n]);
    expect(host.call('PHYMEM_PAGE_RECLAIM', { rcx: host.page() }).status).toBe(S.TDX_PAGE_METADATA_INCORRECT | OPERAND.RCX);
  });

  it('WBINVD flushes a free page under the KeyID in its address, and no page that is in use', () => {
    const td = new TestTd(new ModuleHost());
    const { host } = td;
    const page = host.page();
    const withKey = (keyId: number) => BigInt(page) | (BigInt(keyId) << 46n);
    host.lp.store64(page, 7n, 3);
    const cached = () => host.platform.core.cachedCopies(page).map(({ keyId }) => keyId);
    expect(cached()).toContain(3);
    host.ok('PHYMEM_PAGE_WBINVD', { rcx: withKey(4) });
    expect(cached()).toContain(3);
    host.ok('PHYMEM_PAGE_WBINVD', { rcx: withKey(3) });
    expect(cached()).not.toContain(3);
    expect(host.call('PHYMEM_PAGE_WBINVD', { rcx: td.tdr }).status).toBe(S.TDX_PAGE_METADATA_INCORRECT | OPERAND.RCX);
    expect(host.call('PHYMEM_PAGE_WBINVD', { rcx: page + 64 }).status).toBe(invalid('RCX'));
  });
});
