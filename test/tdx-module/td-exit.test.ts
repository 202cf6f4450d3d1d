import { describe, expect, it } from 'vitest';
import { type GuestSoftware, vmExit } from '../../src/platform/index.ts';
import { EXIT_REASON } from '../../src/spec/exits.ts';
import { ATTRIBUTES, CONFIG_FLAGS, TDR } from '../../src/spec/layouts.ts';
import { MD_VP } from '../../src/spec/metadata.ts';
import { MSR } from '../../src/spec/msr.ts';
import { LIFECYCLE } from '../../src/spec/states.ts';
import {
  OPERAND,
  statusCode,
  TDX_NO_VALID_VE_INFO,
  TDX_NON_RECOVERABLE_TD_NON_ACCESSIBLE,
  TDX_NON_RECOVERABLE_VCPU,
  TDX_OPERAND_BUSY,
  TDX_OPERAND_INVALID,
  TDX_SUCCESS,
  TDX_TD_FATAL,
  TDX_VCPU_STATE_INCORRECT,
} from '../../src/spec/status.ts';
import { type CallResult, type Guest, ModuleHost, PAGE, type Registers, readyTd } from './harness.ts';

const ALL_GPRS: Registers = {
  rdx: 0x12,
  rbx: 0x13,
  rbp: 0x15,
  rsi: 0x16,
  rdi: 0x17,
  r8: 0x18,
  r9: 0x19,
  r10: 0x1a,
  r11: 0x1b,
  r12: 0x1c,
  r13: 0x1d,
  r14: 0x1e,
  r15: 0x1f,
};
const ORDER = [
  'rax',
  'rcx',
  'rdx',
  'rbx',
  'rsp',
  'rbp',
  'rsi',
  'rdi',
  'r8',
  'r9',
  'r10',
  'r11',
  'r12',
  'r13',
  'r14',
  'r15',
] as const;

/** A guest that notes what its exception handlers saw. */
function handles(guest: Guest, vector: number, seen: CallResult[], advance = 0n): void {
  guest.cpu.idt.set(vector, function* (frame) {
    seen.push(yield* guest.tdcall('VP_VEINFO_GET'));
    frame.rip += advance || seen.at(-1)!.r10 & 0xffff_ffffn;
  });
}
const stop = (guest: Guest): GuestSoftware<CallResult> => guest.tdcall('VP_VMCALL', { rcx: 0 });

describe('TDG.VP.VMCALL', () => {
  it.each([0xffccn, 0x0400n, 0x0000n, 0x0020n])('shows the host the registers of mask %i and zeros in the others', (mask) => {
    const host = new ModuleHost();
    const td = readyTd(host, function* (guest) {
      yield* guest.tdcall('VP_VMCALL', { ...ALL_GPRS, rcx: mask });
    });
    const exit = td.enter(undefined, { rbp: 0xb0 });
    expect(exit.status).toBe(BigInt(EXIT_REASON.TDCALL));
    expect(exit.rcx).toBe(mask);
    for (const [i, register] of ORDER.entries()) {
      if (register === 'rax' || register === 'rcx' || register === 'rsp') continue;
      expect([register, exit[register]]).toEqual([register, (mask >> BigInt(i)) & 1n ? BigInt(ALL_GPRS[register]!) : 0n]);
    }
  });

  it('takes from the host the registers of the mask alone, clears RAX and keeps RCX', () => {
    const host = new ModuleHost();
    let back: CallResult | undefined;
    const td = readyTd(host, function* (guest) {
      back = yield* guest.tdcall('VP_VMCALL', { rcx: 0x0c00, r10: 1, r11: 2, r12: 3 });
      yield* stop(guest);
    });
    td.enter();
    td.enter(undefined, { r10: 0x100, r11: 0x110, r12: 0x120 });
    expect(back).toMatchObject({ status: 0n, rcx: 0x0c00n, r10: 0x100n, r11: 0x110n, r12: 3n });
  });

  it.each([0x1n, 0x2n, 0x10n, 1n << 32n])('refuses mask 0x%s without an exit', (mask) => {
    const host = new ModuleHost();
    let status = 0n;
    const td = readyTd(host, function* (guest) {
      ({ status } = yield* guest.tdcall('VP_VMCALL', { rcx: mask }));
      yield* stop(guest);
    });
    expect(td.enter().rcx).toBe(0n);
    expect(status).toBe(TDX_OPERAND_INVALID | OPERAND.RCX);
  });

  it('leaves the host its RBP when the TD has NO_RBP_MOD, and refuses RBP in the mask', () => {
    const host = new ModuleHost();
    let status = 0n;
    const options = { configFlags: CONFIG_FLAGS.NO_RBP_MOD };
    const td = readyTd(
      host,
      function* (guest) {
        ({ status } = yield* guest.tdcall('VP_VMCALL', { rcx: 0x20, rbp: 1 }));
        yield* guest.tdcall('VP_VMCALL', { rcx: 0, rbp: 1 });
      },
      options,
    );
    expect(td.enter(undefined, { rbp: 0xb0 }).rbp).toBe(0xb0n);
    expect(status).toBe(TDX_OPERAND_INVALID | OPERAND.RCX);
  });
});

describe('#VE', () => {
  it('carries what the instruction was about, and is fetched once', () => {
    const host = new ModuleHost();
    const seen: CallResult[] = [];
    let again = 0n;
    const td = readyTd(host, function* (guest) {
      handles(guest, 20, seen);
      yield* guest.cpu.io('out', 0x80, 1);
      ({ status: again } = yield* guest.tdcall('VP_VEINFO_GET'));
      yield* stop(guest);
    });
    expect(td.enter().status).toBe(BigInt(EXIT_REASON.TDCALL));
    expect(seen).toHaveLength(1);
    expect(seen[0]).toMatchObject({
      status: TDX_SUCCESS,
      rcx: BigInt(EXIT_REASON.IO_INSTRUCTION),
      rdx: 0x80_0000n,
      r8: 0n,
      r9: 0n,
    });
    expect(again).toBe(TDX_NO_VALID_VE_INFO);
  });

  it('[S3-28] a second one before VEINFO.GET is #DF; after VEINFO.GET it is #VE again', () => {
    for (const fetchesFirst of [false, true]) {
      const host = new ModuleHost();
      const vectors: number[] = [];
      const td = readyTd(host, function* (guest) {
        guest.cpu.idt.set(20, function* (frame) {
          vectors.push(20);
          if (vectors.length === 1) {
            if (fetchesFirst) yield* guest.tdcall('VP_VEINFO_GET');
            yield* guest.cpu.hlt();
          }
          frame.rip += 1n;
        });
        guest.cpu.idt.set(8, function* (frame) {
          vectors.push(8);
          frame.rip += 1n;
        });
        yield* guest.cpu.wbinvd();
        yield* stop(guest);
      });
      td.enter();
      expect(vectors).toEqual(fetchesFirst ? [20, 20] : [20, 8]);
    }
  });

  it('holds an NMI back until its record was fetched', () => {
    const host = new ModuleHost();
    const order: string[] = [];
    const td = readyTd(host, function* (guest) {
      guest.cpu.idt.set(2, function* () {
        order.push('NMI');
      });
      guest.cpu.idt.set(20, function* (frame) {
        order.push('#VE');
        yield* stop(guest);
        order.push('fetch');
        yield* guest.tdcall('VP_VEINFO_GET');
        order.push('fetched');
        frame.rip += 1n;
      });
      yield* guest.cpu.hlt();
      yield* stop(guest);
    });
    td.enter();
    host.ok('VP_WR', { rcx: td.vcpus[0]!, rdx: MD_VP.PEND_NMI, r8: 1, r9: 1 });
    td.enter();
    expect(order).toEqual(['#VE', 'fetch', 'NMI', 'fetched']);
  });

  it('comes for CPUID of a hypervisor leaf, and CPUID 0x21 is answered', () => {
    const host = new ModuleHost();
    const seen: CallResult[] = [];
    let identity: bigint[] = [];
    const td = readyTd(host, function* (guest) {
      handles(guest, 20, seen);
      guest.cpu.gpr.set([0x21n, 0n]);
      yield* guest.cpu.cpuid();
      identity = [...guest.cpu.gpr.slice(0, 4)];
      guest.cpu.gpr.set([0x4000_0000n, 0n]);
      yield* guest.cpu.cpuid();
      yield* stop(guest);
    });
    td.enter();
    expect(identity.map(Number)).toEqual([0, 0x20202020, 0x5844546c, 0x65746e49]);
    expect(seen.map(({ rcx, rdx }) => [rcx, rdx])).toEqual([[10n, 0n]]);
  });

  it('comes for CPUID when the guest asked for it', () => {
    const host = new ModuleHost();
    const seen: CallResult[] = [];
    const td = readyTd(host, function* (guest) {
      handles(guest, 20, seen);
      guest.cpu.gpr.set([1n, 0n]);
      yield* guest.cpu.cpuid();
      yield* guest.tdcall('VP_CPUIDVE_SET', { rcx: 1 });
      guest.cpu.gpr.set([1n, 0n]);
      yield* guest.cpu.cpuid();
      yield* stop(guest);
    });
    td.enter();
    expect(seen).toHaveLength(1);
  });
});

describe('MSRs', () => {
  const access = (index: number, kind: 'rdmsr' | 'wrmsr', value = 0n): { readonly outcome: string; readonly value: bigint } => {
    const host = new ModuleHost();
    let outcome = 'done';
    let read = 0n;
    const td = readyTd(host, function* (guest) {
      for (const [vector, name] of [
        [20, '#VE'],
        [13, '#GP'],
      ] as const) {
        guest.cpu.idt.set(vector, function* (frame) {
          outcome = name;
          frame.rip += 2n;
        });
      }
      guest.cpu.gpr.set([value & 0xffff_ffffn, BigInt(index), value >> 32n]);
      yield* guest.cpu[kind]();
      read = guest.cpu.gpr[0]! | (guest.cpu.gpr[2]! << 32n);
      yield* stop(guest);
    });
    td.enter();
    return { outcome, value: read };
  };

  it.each([
    [MSR.IA32_WBINVDP, 'rdmsr', '#GP'],
    [MSR.IA32_TSC, 'rdmsr', 'done'],
    [MSR.IA32_TSC, 'wrmsr', '#VE'],
    [MSR.IA32_MTRRCAP, 'rdmsr', '#VE'],
    [MSR.IA32_XAPIC_DISABLE_STATUS, 'rdmsr', 'done'],
    [0x9999, 'rdmsr', '#VE'],
    [MSR.IA32_VMX_BASIC, 'wrmsr', '#GP'],
    [MSR.IA32_KERNEL_GS_BASE, 'wrmsr', 'done'],
  ] as const)('0x%s %s: %s', (index, kind, outcome) => {
    expect(access(index, kind).outcome).toBe(outcome);
  });

  it('lets EFER change in SCE alone', () => {
    const efer = 0xd01n;
    expect(access(MSR.IA32_EFER, 'wrmsr', efer ^ 1n).outcome).toBe('done');
    expect(access(MSR.IA32_EFER, 'wrmsr', efer ^ (1n << 11n)).outcome).toBe('#VE');
  });
});

describe('asynchronous TD exits', () => {
  it('an interrupt: nothing of the guest is in the host registers, and the guest goes on where it was', () => {
    const host = new ModuleHost();
    let went = false;
    let interrupted = false;
    const td = readyTd(host, function* (guest) {
      guest.cpu.gpr.fill(0x5ecf_e7n);
      host.platform.interrupt(host.platform.lps[1]!, host.lp, function* () {
        interrupted = true;
      });
      yield* guest.cpu.pause();
      yield* guest.cpu.pause();
      went = guest.cpu.gpr[3] === 0x5ecf_e7n;
      yield* stop(guest);
    });
    const exit = td.enter();
    expect([exit.status, exit.r9]).toEqual([BigInt(EXIT_REASON.INTERRUPT), 0x8000_00f2n]);
    for (const register of ['rdx', 'rbx', 'rbp', 'rsi', 'rdi', 'r8', 'r10', 'r11', 'r12', 'r13', 'r14', 'r15'] as const)
      expect(exit[register]).toBe(0n);
    host.platform.scheduler.run();
    expect(interrupted).toBe(true);
    td.enter();
    expect(went).toBe(true);
  });

  it('a triple fault disables the VCPU', () => {
    const td = readyTd(new ModuleHost(), function* () {});
    expect(td.enter().status).toBe(TDX_NON_RECOVERABLE_VCPU | BigInt(EXIT_REASON.TRIPLE_FAULT));
    expect(td.enter().status).toBe(TDX_VCPU_STATE_INCORRECT);
  });

  it('an exit that nobody expects kills a production TD and shows in a debug TD', () => {
    for (const attributes of [0n, ATTRIBUTES.DEBUG]) {
      const host = new ModuleHost();
      const td = readyTd(
        host,
        function* () {
          yield vmExit(EXIT_REASON.TPAUSE);
        },
        { attributes },
      );
      const { name } = td.enter();
      expect(name.startsWith('TDX_NON_RECOVERABLE_TD |')).toBe(attributes === 0n);
      expect(td.tdrField(TDR.FATAL)).toBe(attributes === 0n ? 1 : 0);
    }
  });

  it('[SX-19] a machine check in a TD kills that TD alone, and it can be torn down', () => {
    const host = new ModuleHost();
    const program = function* (guest: Guest): GuestSoftware {
      yield* guest.load64(0);
      yield* stop(guest);
    };
    const victim = readyTd(host, program, {}, (td) => td.add(0));
    const other = readyTd(host, program, {}, (td) => td.add(0));
    host.platform.core.clflush(victim.pages.get(0)!, PAGE / 64, victim.hkid);
    host.platform.core.flip(victim.pages.get(0)!, 'data', 5);
    const exit = victim.enter();
    expect(statusCode(exit.status)).toBe(TDX_NON_RECOVERABLE_TD_NON_ACCESSIBLE);
    expect(victim.enter().status).toBe(TDX_TD_FATAL);
    expect(other.enter().status).toBe(BigInt(EXIT_REASON.TDCALL));
    expect(host.call('VP_FLUSH', { rcx: victim.vcpus[0]! }).status).toBe(TDX_SUCCESS);
    expect(host.call('MNG_VPFLUSHDONE', { rcx: victim.tdr }).status).toBe(TDX_SUCCESS);
    expect(victim.tdrField(TDR.LIFECYCLE_STATE)).toBe(LIFECYCLE.BLOCKED);
  });
});

describe('TDCALL entry', () => {
  it.each([
    ['reserved bits of RAX', 1n << 24n],
    ['a version that the leaf does not know', 1n << 16n],
    ['an unknown leaf', 0x7fffn],
  ])('refuses %s', (_what, bits) => {
    let status = 0n;
    const td = readyTd(new ModuleHost(), function* (guest) {
      guest.cpu.gpr[0] = 1n | bits;
      yield* guest.cpu.tdcall();
      status = guest.cpu.gpr[0];
      yield* stop(guest);
    });
    td.enter();
    expect(status).toBe(TDX_OPERAND_INVALID | OPERAND.RAX);
  });

  it('is #GP(0) outside 64-bit mode', () => {
    let vector = 0;
    const td = readyTd(new ModuleHost(), function* (guest) {
      const { efer } = guest.cpu.state;
      guest.cpu.idt.set(13, function* (frame) {
        vector = 13;
        guest.cpu.state.efer = efer;
        frame.rip += 4n;
      });
      guest.cpu.state.efer = 0n;
      yield* guest.tdcall('VP_INFO');
      yield* stop(guest);
    });
    td.enter();
    expect(vector).toBe(13);
  });
});

describe('while a VCPU runs', () => {
  it('the TDR stays locked: a leaf that wants it exclusive is busy, one that shares it is not', () => {
    const host = new ModuleHost();
    const released = { value: false };
    const td = readyTd(host, function* (guest) {
      while (!released.value) yield* guest.cpu.pause();
      yield* stop(guest);
    });
    const task = host.start('VP_ENTER', { rcx: td.vcpus[0]! });
    const [, second] = host.platform.lps;
    second!.joinTime(1_000_000);
    expect(host.call('MNG_VPFLUSHDONE', { rcx: td.tdr }, second).status).toBe(TDX_OPERAND_BUSY | OPERAND.RCX);
    expect(host.call('VP_FLUSH', { rcx: td.vcpus[0]! }, second).status).toBe(TDX_OPERAND_BUSY | OPERAND.RCX);
    expect(host.call('MEM_SEPT_RD', { rcx: 0, rdx: td.tdr }, second).status).toBe(TDX_SUCCESS);
    released.value = true;
    host.finish(task);
    expect(host.call('VP_FLUSH', { rcx: td.vcpus[0]! }).status).toBe(TDX_SUCCESS);
  });
});
