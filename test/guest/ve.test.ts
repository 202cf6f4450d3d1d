import { describe, expect, it } from 'vitest';
import { mapGpa } from '../../src/guest/convert.ts';
import { TdGuest } from '../../src/guest/kernel.ts';
import { guestKnobs } from '../../src/guest/knobs.ts';
import { type GuestObserver, GuestPanic } from '../../src/guest/observer.ts';
import { DirectMap } from '../../src/guest/page-table.ts';
import { handleVe } from '../../src/guest/ve.ts';
import { GPR, type InterruptFrame } from '../../src/platform/guest-cpu.ts';
import { EXIT_REASON } from '../../src/spec/exits.ts';
import { readKnobs } from '../../src/spec/knob.ts';
import { TDG } from '../../src/spec/leaves.ts';
import { TDVMCALL, TDVMCALL_STATUS } from '../../src/spec/tdvmcall.ts';
import { FakeGuestCpu, run } from './fake-cpu.ts';

const SHARED = 1n << 47n;
const MMIO_GPA = 0xfe00_0000n | SHARED;
const TEXT = 0x10_0000n;

interface Setup {
  readonly reason: number;
  readonly gpa?: bigint;
  readonly gla?: bigint;
  readonly qualification?: bigint;
  readonly length?: number;
  readonly code?: readonly number[];
  readonly cpl?: number;
  readonly rflags?: bigint;
  readonly knobs?: Record<string, string>;
  readonly registers?: Record<number, bigint>;
  /** R10 and R11.. that the host answers with. */
  readonly host?: readonly bigint[];
}

/** Delivers one #VE to the guest's handler and tells what it did. */
function deliver(setup: Setup) {
  const log: string[] = [];
  const observer: GuestObserver = { log: (text) => log.push(text), milestone: () => {} };
  const guest = new TdGuest(readKnobs(guestKnobs, setup.knobs ?? {}), observer);
  guest.setSharedBit(47);
  const hypercalls: BigUint64Array[] = [];
  const cpu = new FakeGuestCpu((on) => {
    const leaf = on.gpr[GPR.RAX]!;
    if (leaf === TDG.VP_VEINFO_GET) {
      on.gpr[GPR.RCX] = BigInt(setup.reason);
      on.gpr[GPR.RDX] = setup.qualification ?? 0n;
      on.gpr[GPR.R8] = setup.gla ?? DirectMap.BASE + 0xfe00_0000n;
      on.gpr[GPR.R9] = setup.gpa ?? MMIO_GPA;
      on.gpr[GPR.R10] = BigInt(setup.length ?? 2);
    } else if (leaf === TDG.VP_VMCALL) {
      hypercalls.push(on.gpr.slice());
      (setup.host ?? [0n]).forEach((value, i) => {
        on.gpr[GPR.R10 + i] = value;
      });
    }
    on.gpr[GPR.RAX] = 0n;
  });
  (setup.code ?? []).forEach((byte, i) => {
    cpu.memory.set(TEXT + BigInt(i), byte);
  });
  for (const [register, value] of Object.entries(setup.registers ?? {})) cpu.gpr[Number(register)] = value;
  const rip = DirectMap.BASE + TEXT;
  const frame: InterruptFrame = { rip, rflags: setup.rflags ?? 2n, cpl: setup.cpl ?? 0, errorCode: 0 };
  let panic = '';
  try {
    run(handleVe(guest, cpu, frame));
  } catch (reason) {
    if (!(reason instanceof GuestPanic)) throw reason;
    panic = reason.message;
  }
  return { cpu, guest, log, panic, hypercalls, advanced: Number(frame.rip - rip), frame };
}

const mmio = (code: readonly number[], more: Partial<Setup> = {}) =>
  deliver({ reason: EXIT_REASON.EPT_VIOLATION, code, ...more });

describe('#VE handler', () => {
  it('[S3-06] passes an MMIO write to the VMM with the size, the address and the register’s low bytes', () => {
    const { hypercalls, advanced } = mmio([0x66, 0x89, 0x07], { registers: { [GPR.RAX]: 0x1122_3344_5566_7788n } });
    expect(hypercalls).toHaveLength(1);
    const call = hypercalls[0]!;
    expect([call[GPR.R11], call[GPR.R12], call[GPR.R13], call[GPR.R14], call[GPR.R15]]).toEqual([
      TDVMCALL.MMIO,
      2n,
      1n,
      MMIO_GPA,
      0x7788n,
    ]);
    expect(advanced).toBe(3);
  });

  const OLD = 0xaaaa_bbbb_cccc_ddddn;
  const ANSWER = 0x1111_2222_8383_84f5n;
  it.each([
    ['mov al, [rdi]', [0x8a, 0x07], 0xaaaa_bbbb_cccc_ddf5n],
    ['mov ah, [rdi]', [0x8a, 0x27], 0xaaaa_bbbb_cccc_f5ddn],
    ['mov ax, [rdi]', [0x66, 0x8b, 0x07], 0xaaaa_bbbb_cccc_84f5n],
    ['mov eax, [rdi]', [0x8b, 0x07], 0x8383_84f5n],
    ['mov rax, [rdi]', [0x48, 0x8b, 0x07], 0x1111_2222_8383_84f5n],
    ['movzx eax, byte [rdi]', [0x0f, 0xb6, 0x07], 0xaaaa_bbbb_0000_00f5n],
    ['movzx rax, word [rdi]', [0x48, 0x0f, 0xb7, 0x07], 0x84f5n],
    ['movsx ax, byte [rdi]', [0x66, 0x0f, 0xbe, 0x07], 0xaaaa_bbbb_cccc_fff5n],
    ['movsx eax, byte [rdi]', [0x0f, 0xbe, 0x07], 0xaaaa_bbbb_ffff_fff5n],
    ['movsx rax, word [rdi]', [0x48, 0x0f, 0xbf, 0x07], 0xffff_ffff_ffff_84f5n],
  ] as const)('[S3-22] %s writes exactly the bits that Linux writes', (_name, code, expected) => {
    const { cpu } = mmio(code, { host: [0n, ANSWER], registers: { [GPR.RAX]: OLD } });
    expect(cpu.gpr[GPR.RAX]).toBe(expected);
  });

  it('[S3-27] advances RIP by the decoded length, whatever VEINFO says', () => {
    expect(mmio([0x8b, 0x07], { length: 7 }).advanced).toBe(2);
  });

  it('[S3-14] has three reactions to an instruction that it cannot decode', () => {
    const code = [0x48, 0x63, 0x07];
    const warned = mmio(code);
    expect(warned.log.join()).toContain('could not be decoded');
    expect(warned.panic).toContain('VE fault');
    const silent = mmio(code, { knobs: { 'guest.mmioDecodeFail': 'gp' } });
    expect(silent.log).toEqual([]);
    expect(silent.panic).toContain('VE fault');
    expect(mmio(code, { knobs: { 'guest.mmioDecodeFail': 'bug' } }).panic).toContain('BUG');
    expect(mmio([0x8b, 0x07]).panic).toBe('');
  });

  it('[S3-24] refuses a user linear address, and takes a kernel one', () => {
    const refused = mmio([0x8b, 0x07], { gla: 0x7fff_0000n });
    expect([refused.hypercalls.length, refused.panic.includes('VE fault')]).toEqual([0, true]);
    expect(mmio([0x8b, 0x07]).hypercalls).toHaveLength(1);
  });

  it('[S3-25] fails an access that crosses a page, so that a fix-up can rescue it', () => {
    const split = mmio([0x8b, 0x07], { gla: DirectMap.BASE + 0xfe00_0ffdn, gpa: MMIO_GPA + 0xffdn });
    expect(split.hypercalls).toHaveLength(0);
    expect(split.panic).toContain('-14');
    expect(mmio([0x8b, 0x07], { gla: DirectMap.BASE + 0xfe00_0ffcn, gpa: MMIO_GPA + 0xffcn }).hypercalls).toHaveLength(1);
  });

  it('[S3-29] turns a refused hypercall into a VE fault', () => {
    expect(mmio([0x8b, 0x07], { host: [TDVMCALL_STATUS.INVALID_OPERAND] }).panic).toContain('-5');
  });

  it('[S3-26] panics on a private GPA in the kernel; in user mode the task dies', () => {
    expect(mmio([0x8b, 0x07], { gpa: 0xfe00_0000n }).panic).toBe('Unexpected EPT-violation on private memory.');
    const user = mmio([0x8b, 0x07], { gpa: 0xfe00_0000n, cpl: 3 });
    expect([user.panic, user.log.at(-1)]).toEqual(['', 'SIGSEGV']);
  });

  it('[S3-23] never decodes for user mode', () => {
    const user = mmio([0x8b, 0x07], { cpl: 3 });
    expect(user.log).toEqual(['WARNING: Unexpected #VE: 48', 'SIGSEGV']);
    expect(user.hypercalls).toHaveLength(0);
  });

  it('[S3-18] leaves WBINVD unhandled; the knob shows the alternatives', () => {
    const wbinvd = (policy?: string) =>
      deliver({ reason: EXIT_REASON.WBINVD_INSTRUCTION, ...(policy && { knobs: { 'guest.wbinvd': policy } }) });
    const fatal = wbinvd();
    expect([fatal.log[0], fatal.panic.includes('VE fault')]).toEqual(['WARNING: Unexpected #VE: 54', true]);
    const ignored = wbinvd('warn-ignore');
    expect([ignored.panic, ignored.advanced]).toEqual(['', 2]);
    const passed = wbinvd('tdvmcall');
    expect([passed.hypercalls[0]![GPR.R11], passed.advanced]).toEqual([TDVMCALL.WBINVD, 2]);
  });

  it('answers CPUID outside the hypervisor range with zeros and without an exit; compares all of RAX', () => {
    const other = deliver({ reason: EXIT_REASON.CPUID_INSTRUCTION, registers: { [GPR.RAX]: 0x5000_0000n, [GPR.RBX]: 7n } });
    expect([other.hypercalls.length, other.cpu.gpr[GPR.RAX], other.cpu.gpr[GPR.RBX]]).toEqual([0, 0n, 0n]);
    const upper = deliver({ reason: EXIT_REASON.CPUID_INSTRUCTION, registers: { [GPR.RAX]: 0x1_4000_0000n } });
    expect(upper.hypercalls).toHaveLength(0);
    const last = deliver({
      reason: EXIT_REASON.CPUID_INSTRUCTION,
      registers: { [GPR.RAX]: 0x4fff_ffffn },
      host: [0n, TDVMCALL.CPUID, 1n, 2n, 3n, 4n],
    });
    expect([GPR.RAX, GPR.RBX, GPR.RCX, GPR.RDX].map((r) => last.cpu.gpr[r])).toEqual([1n, 2n, 3n, 4n]);
  });

  it('refuses HLT with interrupts on, and passes it with interrupts off', () => {
    expect(deliver({ reason: EXIT_REASON.HLT_INSTRUCTION, rflags: 0x202n }).panic).toContain('VE fault');
    const off = deliver({ reason: EXIT_REASON.HLT_INSTRUCTION, length: 1 });
    expect([off.hypercalls[0]![GPR.R11], off.hypercalls[0]![GPR.R12], off.advanced]).toEqual([TDVMCALL.HLT, 1n, 1]);
  });

  it.each([
    ['on', 0x1ffn, 0xaaaa_bbbb_cccc_dc00n],
    ['off', 0xffn, 0xaaaa_bbbb_cccc_dd00n],
  ] as const)('port I/O mask with guest.ioMaskBug=%s is %s wide', (bug, mask, cleared) => {
    const OUT = 0x3f8n << 16n;
    const out = deliver({
      reason: EXIT_REASON.IO_INSTRUCTION,
      qualification: OUT,
      knobs: { 'guest.ioMaskBug': bug },
      registers: { [GPR.RAX]: 0xfff_ffffn },
    });
    expect(out.hypercalls[0]![GPR.R15]).toBe(mask);
    const read = deliver({
      reason: EXIT_REASON.IO_INSTRUCTION,
      qualification: OUT | 8n,
      knobs: { 'guest.ioMaskBug': bug },
      registers: { [GPR.RAX]: 0xaaaa_bbbb_cccc_ddddn },
      host: [0n, 0n],
    });
    expect(read.cpu.gpr[GPR.RAX]).toBe(cleared);
  });
});

describe('MapGPA', () => {
  /** A host that answers each call with the next (status, R11). */
  const against = (answers: readonly (readonly [bigint, bigint])[]) => {
    let i = 0;
    const cpu = new FakeGuestCpu((on) => {
      const [status, next] = answers[Math.min(i++, answers.length - 1)]!;
      on.gpr[GPR.R10] = status;
      on.gpr[GPR.R11] = next;
      on.gpr[GPR.RAX] = 0n;
    });
    return { ok: run(mapGpa(cpu, 0x20_0000n, 0x80_0000n)), starts: cpu.calls.map((call) => call[GPR.R12]) };
  };
  const { RETRY, SUCCESS } = TDVMCALL_STATUS;

  it.each([
    [
      'goes on where the host stopped',
      [
        [RETRY, 0x40_0000n],
        [SUCCESS, 0n],
      ],
      true,
      [0x20_0000n, 0x40_0000n],
    ],
    ['distrusts an address below the start', [[RETRY, 0x1f_0000n]], false, [0x20_0000n]],
    ['distrusts an address at the end', [[RETRY, 0x80_0000n]], false, [0x20_0000n]],
    ['gives up after three tries without progress', [[RETRY, 0x20_0000n]], false, [0x20_0000n, 0x20_0000n, 0x20_0000n]],
    [
      'starts counting anew after progress',
      [
        [RETRY, 0x20_0000n],
        [RETRY, 0x20_0000n],
        [RETRY, 0x30_0000n],
        [RETRY, 0x30_0000n],
        [SUCCESS, 0n],
      ],
      true,
      [0x20_0000n, 0x20_0000n, 0x20_0000n, 0x30_0000n, 0x30_0000n],
    ],
    ['takes a refusal for a failure', [[TDVMCALL_STATUS.INVALID_OPERAND, 0n]], false, [0x20_0000n]],
  ] as const)('%s', (_name, answers, ok, starts) => {
    expect(against(answers)).toEqual({ ok, starts: [...starts] });
  });
});
