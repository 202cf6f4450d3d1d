import { describe, expect, it } from 'vitest';
import { EXIT_REASON } from '../../src/spec/exits.ts';
import { CONFIG_FLAGS, TD_CTLS, TDCS } from '../../src/spec/layouts.ts';
import { MD_TD, MD_VP } from '../../src/spec/metadata.ts';
import { MSR } from '../../src/spec/msr.ts';
import { SEPT } from '../../src/spec/sept.ts';
import {
  OPERAND,
  statusCode,
  TDX_HOST_PRIORITY_BUSY_TIMEOUT,
  TDX_INCONSISTENT_MSR,
  TDX_LIMIT_CPUID_MAXVAL_SET,
  TDX_MAX_VCPUS_EXCEEDED,
  TDX_METADATA_FIELD_NOT_READABLE,
  TDX_METADATA_FIELD_NOT_WRITABLE,
  TDX_METADATA_FIELD_VALUE_NOT_VALID,
  TDX_OP_STATE_INCORRECT,
  TDX_OPERAND_BUSY,
  TDX_OPERAND_INVALID,
  TDX_SUCCESS,
  TDX_TD_VMCS_FIELD_NOT_INITIALIZED,
  TDX_TDCX_NUM_INCORRECT,
  TDX_TSC_ROLLBACK,
  TDX_VCPU_ASSOCIATED,
  TDX_VCPU_NOT_ASSOCIATED,
  TDX_VCPU_STATE_INCORRECT,
} from '../../src/spec/status.ts';
import { type CallResult, type Guest, ModuleHost, type Program, readyTd, TestTd } from './harness.ts';

const ALL = (1n << 64n) - 1n;
const SHARED_EPTP = 0x203cn;
const POSTED_VECTOR = 0x2n;
const POSTED_DESCRIPTOR = 0x2016n;
const PIN_BASED = 0x4000n;
const stops: Program = function* (guest) {
  for (;;) yield* guest.tdcall('VP_VMCALL', { rcx: 0 });
};

describe('TDH.VP.INIT', () => {
  it('starts a VCPU with its index, the GPA width and the host value in registers', () => {
    const host = new ModuleHost();
    const first: bigint[][] = [];
    const td = new TestTd(host);
    const program: Program = function* (guest) {
      first.push([...guest.cpu.gpr.slice(0, 9)]);
      yield* guest.tdcall('VP_VMCALL', { rcx: 0 });
    };
    td.vcpu(program, host.lp, 0xabcn);
    td.vcpu(program, host.lp, 0xdefn);
    td.finalize();
    for (const vcpu of td.vcpus) td.enter(vcpu);
    expect(first.map(([, rcx, , rbx, , , rsi, , r8]) => [rcx, rbx, rsi, r8])).toEqual([
      [0xabcn, 48n, 0n, 0xabcn],
      [0xdefn, 48n, 1n, 0xdefn],
    ]);
  });

  it('wants all pages, once, and at most MAX_VCPUS', () => {
    const host = new ModuleHost();
    const td = new TestTd(host, { maxVcpus: 1 });
    const tdvpr = host.page();
    host.ok('VP_CREATE', { rcx: tdvpr, rdx: td.tdr });
    expect(host.call('VP_INIT', { rcx: tdvpr }).status).toBe(TDX_TDCX_NUM_INCORRECT);
    const vcpu = td.vcpu();
    expect(host.call('VP_INIT', { rcx: vcpu }).status).toBe(TDX_VCPU_STATE_INCORRECT);
    expect(() => td.vcpu()).toThrow('TDX_MAX_VCPUS_EXCEEDED');
    expect(td.tdcs(TDCS.NUM_VCPUS)).toBe(1);
    expect(TDX_MAX_VCPUS_EXCEEDED).not.toBe(0n);
  });
});

describe('TDH.VP.ENTER', () => {
  it('checks in the order of leaf-checks.md §3', () => {
    const host = new ModuleHost();
    const td = new TestTd(host);
    const vcpu = td.vcpu(stops);
    const [, second] = host.platform.lps;
    const enter = (rcx: number | bigint, lp = host.lp): bigint => host.call('VP_ENTER', { rcx }, lp).status;
    host.lp.wrmsr(MSR.IA32_MISC_ENABLE, host.lp.rdmsr(MSR.IA32_MISC_ENABLE) | (1n << 22n));
    expect(enter(1)).toBe(TDX_LIMIT_CPUID_MAXVAL_SET);
    host.lp.wrmsr(MSR.IA32_MISC_ENABLE, host.lp.rdmsr(MSR.IA32_MISC_ENABLE) & ~(1n << 22n));
    expect(enter(vcpu + 1)).toBe(TDX_OPERAND_INVALID | OPERAND.RCX);
    expect(enter(vcpu)).toBe(TDX_OP_STATE_INCORRECT);
    td.finalize();
    expect(enter(vcpu, second)).toBe(TDX_VCPU_ASSOCIATED);
    expect(enter(BigInt(vcpu) | (1n << 52n))).toBe(TDX_OPERAND_INVALID | OPERAND.RCX);
    expect(enter(BigInt(vcpu) | (1n << 53n))).toBe(TDX_OPERAND_INVALID | OPERAND.RCX);
    host.lp.wrmsr(MSR.IA32_TSC_ADJUST, 1n);
    expect(enter(vcpu)).toBe(TDX_INCONSISTENT_MSR | BigInt(MSR.IA32_TSC_ADJUST));
    host.lp.wrmsr(MSR.IA32_TSC_ADJUST, 0n);
    expect(enter(vcpu)).toBe(BigInt(EXIT_REASON.TDCALL));
    host.lp.now = 0;
    expect(enter(vcpu)).toBe(TDX_TSC_ROLLBACK);
  });

  it('moves to another LP only after VP.FLUSH on the one that had it', () => {
    const host = new ModuleHost();
    const td = readyTd(host, stops);
    const [vcpu] = td.vcpus;
    const [, second] = host.platform.lps;
    td.enter();
    expect(td.enter(vcpu, {}, second).status).toBe(TDX_VCPU_ASSOCIATED);
    expect(host.call('VP_FLUSH', { rcx: vcpu! }, second).status).toBe(TDX_VCPU_NOT_ASSOCIATED);
    host.ok('VP_FLUSH', { rcx: vcpu! });
    second!.joinTime(host.lp.now);
    expect(td.enter(vcpu, {}, second).status).toBe(BigInt(EXIT_REASON.TDCALL));
    expect(td.tdcs(TDCS.NUM_ASSOC_VCPUS)).toBe(1);
  });

  it('counts the VCPU in its epoch while it runs, and takes it out when it leaves', () => {
    const host = new ModuleHost();
    const counts: number[] = [];
    const td: TestTd = readyTd(host, function* (guest) {
      counts.push(td.tdcs(TDCS.REFCOUNT.item(1)));
      yield* guest.tdcall('VP_VMCALL', { rcx: 0 });
    });
    td.enter();
    expect([counts, td.tdcs(TDCS.REFCOUNT.item(1))]).toEqual([[1], 0]);
  });
});

describe('zero-step guard', () => {
  it('after six faults at one instruction VP.ENTER refuses to run until the page is there', () => {
    const host = new ModuleHost();
    const td = readyTd(host, function* (guest) {
      yield* guest.load64(0x8000);
    });
    const faults = Array.from({ length: 7 }, () => td.enter());
    expect(faults.every(({ status, r8 }) => status === BigInt(EXIT_REASON.EPT_VIOLATION) && r8 === 0x8000n)).toBe(true);
    const runs = host.platform.events.events.filter(({ kind }) => kind === 'td-run').length;
    const refused = td.enter(undefined, { rbp: 5 });
    expect(refused).toMatchObject({ status: BigInt(EXIT_REASON.EPT_VIOLATION), rcx: 2n, r8: 0x8000n, rbp: 5n });
    expect(host.platform.events.events.filter(({ kind }) => kind === 'td-run')).toHaveLength(runs);
    td.aug(0x8000);
    td.enter();
    expect(host.platform.events.events.filter(({ kind }) => kind === 'td-run')).not.toHaveLength(runs);
  });
});

describe('host priority', () => {
  it('a guest that waits longer than HP_LOCK_TIMEOUT leaves the TD', () => {
    const host = new ModuleHost();
    const answers: CallResult[] = [];
    const td = readyTd(
      host,
      function* (guest) {
        for (;;) {
          answers.push(yield* guest.tdcall('MEM_PAGE_ACCEPT', { rcx: 0 }));
          guest.cpu.lp.spend(600_000_000);
        }
      },
      {},
      (built) => built.aug(0),
    );
    host.poke64(td.entryPa(0), td.hkid, td.entry(0) | SEPT.TDHP);
    const exit = td.enter();
    expect(statusCode(exit.status)).toBe(TDX_HOST_PRIORITY_BUSY_TIMEOUT);
    expect(answers.map(({ status }) => status)).toEqual([TDX_OPERAND_BUSY | OPERAND.RCX, TDX_OPERAND_BUSY | OPERAND.RCX]);
  });
});

describe('VCPU metadata', () => {
  it('VP.WR sets what the host owns in the VMCS, checks the values, and returns the old one', () => {
    const host = new ModuleHost();
    const td = readyTd(host, stops);
    const [vcpu] = td.vcpus;
    const write = (rdx: bigint, r8: bigint, r9 = ALL): CallResult => host.call('VP_WR', { rcx: vcpu!, rdx, r8, r9 });
    expect(write(SHARED_EPTP, 0x1_2340_005en).status).toBe(TDX_SUCCESS);
    expect(write(SHARED_EPTP, 0x1_2350_005en).r8).toBe(0x1_2340_005en);
    expect(write(PIN_BASED, 1n << 7n, 1n << 7n).status).toBe(TDX_TD_VMCS_FIELD_NOT_INITIALIZED | POSTED_VECTOR);
    expect(write(POSTED_VECTOR, 0x100n).status).toBe(TDX_METADATA_FIELD_VALUE_NOT_VALID);
    expect(write(POSTED_VECTOR, 0xf2n).status).toBe(TDX_SUCCESS);
    expect(write(PIN_BASED, 1n << 7n, 1n << 7n).status).toBe(TDX_TD_VMCS_FIELD_NOT_INITIALIZED | POSTED_DESCRIPTOR);
    expect(write(POSTED_DESCRIPTOR, 0x1020n).status).toBe(TDX_METADATA_FIELD_VALUE_NOT_VALID);
    expect(write(POSTED_DESCRIPTOR, 0x1040n).status).toBe(TDX_SUCCESS);
    expect(write(PIN_BASED, 1n << 7n, 1n << 7n).status).toBe(TDX_SUCCESS);
    expect(write(MD_VP.RBX, 1n).status).toBe(TDX_METADATA_FIELD_NOT_WRITABLE);
  });

  it('VP.RD of a production TD shows no register; of a debug TD it does', () => {
    for (const attributes of [0n, 1n]) {
      const host = new ModuleHost();
      const td = readyTd(
        host,
        function* (guest) {
          yield* guest.tdcall('VP_VMCALL', { rcx: 0, rbx: 0x77 });
        },
        { attributes },
      );
      td.enter();
      const read = host.call('VP_RD', { rcx: td.vcpus[0]!, rdx: MD_VP.RBX });
      expect([read.status, read.r8]).toEqual(attributes ? [TDX_SUCCESS, 0x77n] : [TDX_METADATA_FIELD_NOT_READABLE, 0n]);
    }
  });

  it('a guest changes TD_CTLS only where CONFIG_FLAGS lets it', () => {
    for (const configFlags of [0n, CONFIG_FLAGS.FLEXIBLE_PENDING_VE]) {
      let answer: CallResult | undefined;
      const td = readyTd(
        new ModuleHost(),
        function* (guest: Guest) {
          answer = yield* guest.tdcall('VM_WR', {
            rdx: MD_TD.TD_CTLS,
            r8: TD_CTLS.PENDING_VE_DISABLE,
            r9: TD_CTLS.PENDING_VE_DISABLE,
          });
          yield* guest.tdcall('VP_VMCALL', { rcx: 0 });
        },
        { configFlags },
      );
      td.enter();
      expect(answer!.status).toBe(configFlags ? TDX_SUCCESS : TDX_METADATA_FIELD_VALUE_NOT_VALID);
      expect(td.tdcs(TDCS.TD_CTLS)).toBe(configFlags ? TD_CTLS.PENDING_VE_DISABLE : 0n);
    }
  });

  it('TDG.VP.INFO tells width, attributes, counts and index', () => {
    let info: CallResult | undefined;
    const td = readyTd(new ModuleHost(), function* (guest) {
      info = yield* guest.tdcall('VP_INFO');
      yield* guest.tdcall('VP_VMCALL', { rcx: 0 });
    });
    td.enter();
    expect(info).toMatchObject({ status: TDX_SUCCESS, rcx: 48n, rdx: 0n, r8: (4n << 32n) | 1n, r9: 0n, r10: 1n });
  });
});
