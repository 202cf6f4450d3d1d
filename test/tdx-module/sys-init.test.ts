import { describe, expect, it } from 'vitest';
import { cpuidEntries, cpuidLookup } from '../../src/spec/cpuid.ts';
import { MSR } from '../../src/spec/msr.ts';
import { SYS_STATE } from '../../src/spec/states.ts';
import * as S from '../../src/spec/status.ts';
import { OPERAND } from '../../src/spec/status.ts';
import { BareHost } from './bare-host.ts';

type Break = (host: BareHost) => void;

const setMsr =
  (index: number, change: (value: bigint) => bigint): Break =>
  ({ platform, lps }) => {
    const value = change(platform.msrs.read(lps[0]!, index));
    platform.msrs.constant(index, value);
  };
const setCpuid =
  (leaf: number, subleaf: number | undefined, change: (values: readonly number[]) => number[]): Break =>
  ({ platform, lps }) => {
    const values = change(platform.cpuid.read(lps[0]!, leaf, subleaf ?? 0));
    platform.cpuid.define(leaf, subleaf, values as unknown as readonly [number, number, number, number]);
  };
const bit = (n: number): bigint => 1n << BigInt(n);
const incorrect = (msr: number): bigint => S.TDX_INCORRECT_MSR_VALUE | BigInt(msr);

/** SYS.INIT's checks in order: what breaks each, and the status. */
const CHECKS: readonly (readonly [name: string, brk: Break, status: bigint])[] = [
  [
    'ARCH_CAPABILITIES lacks a bit',
    setMsr(MSR.IA32_ARCH_CAPABILITIES, (v) => v & ~bit(8)),
    incorrect(MSR.IA32_ARCH_CAPABILITIES),
  ],
  ['legacy xAPIC not disabled', setMsr(MSR.IA32_XAPIC_DISABLE_STATUS, () => 0n), incorrect(MSR.IA32_XAPIC_DISABLE_STATUS)],
  ['MISC_PACKAGE_CTLS', setMsr(MSR.IA32_MISC_PACKAGE_CTLS, () => 0n), incorrect(MSR.IA32_MISC_PACKAGE_CTLS)],
  [
    'no full-width counter writes',
    setMsr(MSR.IA32_PERF_CAPABILITIES, (v) => v & ~bit(13)),
    incorrect(MSR.IA32_PERF_CAPABILITIES),
  ],
  ['CPUID limited', setMsr(MSR.IA32_MISC_ENABLE, (v) => v | bit(22)), S.TDX_LIMIT_CPUID_MAXVAL_SET],
  ['no leaf 0x1F', setCpuid(0, undefined, ([, ...rest]) => [0x1e, ...rest]), S.TDX_CPUID_LEAF_NOT_SUPPORTED | 0x1fn],
  ['a verified CPUID value', setCpuid(7, 0, ([a, b, c, d]) => [a!, b! & ~1, c!, d!]), S.TDX_INCORRECT_CPUID_VALUE],
  ['no TSC ratio', setCpuid(0x15, undefined, ([a, , c, d]) => [a!, 0, c!, d!]), S.TDX_CPUID_LEAF_NOT_SUPPORTED | 0x15n],
  ['L3 smaller than a package', setCpuid(4, 3, ([a, b, c, d]) => [a! & ~(0xfff << 14), b!, c!, d!]), S.TDX_INVALID_WBINVD_SCOPE],
  ['no true VMX controls', setMsr(MSR.IA32_VMX_BASIC, (v) => v & ~bit(55)), incorrect(MSR.IA32_VMX_BASIC)],
  ['no integrity algorithm', setMsr(MSR.IA32_TME_CAPABILITY, (v) => v & ~0b1010n), incorrect(MSR.IA32_TME_CAPABILITY)],
  ['TME not locked', setMsr(MSR.IA32_TME_ACTIVATE, (v) => v & ~1n), incorrect(MSR.IA32_TME_ACTIVATE)],
  [
    'too many KeyIDs',
    setMsr(MSR.IA32_MKTME_KEYID_PARTITIONING, () => 15n | (2048n << 32n)),
    S.TDX_NUM_ACTIVATED_HKIDS_NOT_SUPPORTED | 2048n,
  ],
  ['cache sub-blocks differ', setMsr(MSR.IA32_WBNOINVDP, () => 3n), incorrect(MSR.IA32_WBNOINVDP)],
  ['no SMRR', setMsr(MSR.IA32_MTRRCAP, (v) => v & ~bit(11)), S.TDX_SMRR_NOT_SUPPORTED],
  ['no SMRR lock', setMsr(MSR.IA32_MTRRCAP, (v) => v & ~bit(14)), S.TDX_SMRR_LOCK_NOT_SUPPORTED],
  ['SMRR not locked', setMsr(MSR.IA32_SMRR_PHYSMASK, (v) => v & ~bit(10)), S.TDX_SMRR_NOT_LOCKED],
  ['SMRR with holes', setMsr(MSR.IA32_SMRR_PHYSMASK, (v) => v & ~bit(25)), S.TDX_INVALID_SMRR_CONFIGURATION],
  ['SMRR over CMR 1', setMsr(MSR.IA32_SMRR_PHYSBASE, () => 16n << 20n), S.TDX_SMRR_OVERLAPS_CMR],
  ['no SEAMRR capability', setMsr(MSR.IA32_MTRRCAP, (v) => v & ~bit(15)), S.TDX_INCOMPATIBLE_SEAM_CAPABILITIES],
  ['no entropy', ({ module }) => module.entropy.failNext('SYS_INIT', 1), S.TDX_RND_NO_ENTROPY],
];

describe('TDH.SYS.INIT', () => {
  it('succeeds on the platform as it is, once', () => {
    const host = new BareHost();
    expect(host.call('SYS_INIT').name).toBe('TDX_SUCCESS');
    expect(host.module.state).toBe(SYS_STATE.SYSINIT_DONE);
    expect(host.module.keyIds).toEqual({ shift: 46, firstPrivate: 16, lastPrivate: 63 });
    expect(host.call('SYS_INIT').status).toBe(S.TDX_SYS_INIT_NOT_PENDING);
  });

  it('checks its operand before its state', () => {
    const host = new BareHost();
    expect(host.call('SYS_INIT', { rcx: 1 }).status).toBe(S.TDX_OPERAND_INVALID | OPERAND.RCX);
    host.ok('SYS_INIT');
    expect(host.call('SYS_INIT', { rcx: 1 }).status).toBe(S.TDX_OPERAND_INVALID | OPERAND.RCX);
  });

  for (const [name, brk, status] of CHECKS) {
    it(`${name} → ${S.statusName(status)}`, () => {
      const host = new BareHost();
      brk(host);
      expect(host.call('SYS_INIT').name).toBe(S.statusName(status));
      expect(host.module.state).toBe(SYS_STATE.SYSINIT_PENDING);
    });
  }

  it('answers with the earlier check when two rules are violated', () => {
    for (let i = 0; i + 1 < CHECKS.length; i++) {
      const [name, first, status] = CHECKS[i]!;
      const [otherName, second] = CHECKS[i + 1]!;
      const host = new BareHost();
      second(host);
      first(host);
      expect(host.call('SYS_INIT').name, `${name}, ${otherName}`).toBe(S.statusName(status));
    }
  });

  it('details a wrong CPUID value in RCX, RDX, R8, R9, R10, and clears them otherwise', () => {
    const host = new BareHost();
    setCpuid(7, 0, ([a, b, c, d]) => [a!, b!, c! & ~(1 << 27), d!])(host);
    const answer = host.call('SYS_INIT');
    const entry = cpuidEntries()[cpuidLookup(7, 0)]!;
    expect(answer.rcx).toBe(7n);
    expect(answer.r8).toBe(BigInt(entry.verifyMask[2]) | (BigInt(entry.verifyMask[3]) << 32n));
    expect(answer.r10).toBe(BigInt(entry.verifyValue[2]) | (BigInt(entry.verifyValue[3]) << 32n));
    const good = new BareHost().call('SYS_INIT');
    expect([good.rcx, good.rdx, good.r8, good.r9, good.r10]).toEqual([0n, 0n, 0n, 0n, 0n]);
  });

  it('every part (SPR, EMR, GNR) and the Li mode pass', () => {
    for (const model of ['SPR', 'EMR', 'GNR'])
      expect(new BareHost({ 'cpu.model': model }).call('SYS_INIT').name).toBe('TDX_SUCCESS');
    expect(new BareHost({ 'hw.integrity': 'Li' }).call('SYS_INIT').name).toBe('TDX_SUCCESS');
  });
});

describe('TDH.SYS.LP.INIT', () => {
  it('[S1-43] runs once on each LP: the second answers LP_INIT_DONE', () => {
    const host = new BareHost();
    expect(host.call('SYS_LP_INIT').status).toBe(S.TDX_SYS_LP_INIT_NOT_PENDING);
    host.initLps();
    expect(host.module.lpInitDone.size).toBe(4);
    expect(host.call('SYS_LP_INIT').status).toBe(S.TDX_SYS_LP_INIT_DONE);
  });

  const perLp =
    (index: number, change: (value: bigint) => bigint): Break =>
    ({ platform, lps }) => {
      const value = platform.msrs.read(lps[0]!, index);
      platform.msrs.define(index, { read: (lp) => (lp.id === 1 ? change(value) : value) });
    };
  const groups = [
    MSR.IA32_TSC_ADJUST,
    MSR.IA32_ARCH_CAPABILITIES,
    MSR.IA32_SMRR_PHYSBASE,
    MSR.IA32_VMX_EPT_VPID_CAP,
    MSR.IA32_PERF_CAPABILITIES,
    MSR.IA32_TME_CAPABILITY,
    MSR.IA32_MKTME_KEYID_PARTITIONING,
    MSR.IA32_WBNOINVDP,
  ];

  for (const [i, index] of groups.entries()) {
    it(`an LP whose MSR 0x${index.toString(16)} differs is refused with it, before later MSRs`, () => {
      const host = new BareHost();
      for (const broken of groups.slice(i)) perLp(broken, (value) => value ^ bit(30))(host);
      host.ok('SYS_INIT');
      expect(host.call('SYS_LP_INIT', {}, host.lps[1]).status).toBe(S.TDX_INCONSISTENT_MSR | BigInt(index));
      expect(host.call('SYS_LP_INIT', {}, host.lps[2]).name).toBe('TDX_SUCCESS');
    });
  }

  it('an LP whose CPUID differs is refused with leaf and mask', () => {
    const host = new BareHost();
    host.ok('SYS_INIT');
    setCpuid(0x1e, undefined, ([a, b, c, d]) => [a!, b! ^ 1, c!, d!])(host);
    const answer = host.call('SYS_LP_INIT');
    expect(answer.status).toBe(S.TDX_INCONSISTENT_CPUID_FIELD);
    expect(answer.rcx & 0xffff_ffffn).toBe(0x1en);
  });

  it('finds no entropy', () => {
    const host = new BareHost();
    host.ok('SYS_INIT');
    host.module.entropy.failNext('SYS_LP_INIT', 1);
    expect(host.call('SYS_LP_INIT').status).toBe(S.TDX_RND_NO_ENTROPY);
    expect(host.call('SYS_LP_INIT').name).toBe('TDX_SUCCESS');
  });
});
