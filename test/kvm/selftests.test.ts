import { beforeAll, describe, expect, it } from 'vitest';
import { tdvmcall } from '../../src/guest/index.ts';
import { GPR, type GuestCpu, type GuestSoftware } from '../../src/platform/guest-cpu.ts';
import { KVM_SYSTEM_EVENT_TDX_FATAL } from '../../src/spec/kvm-uapi.ts';
import { TDVMCALL, TDVMCALL_STATUS } from '../../src/spec/tdvmcall.ts';
import { type MmioDevice, type PortDevice, PowerControl, type StopReason, TdMachine } from '../../src/vmm/index.ts';
import { defaultFirmware } from '../../src/vmm/tdvf/index.ts';
import { House, inLongMode } from './house.ts';

/** Rows of kvm-selftests.md (the public KVM TDX selftests): stimulus in the guest, assertion on the host. */

let house: House;
beforeAll(() => {
  house = new House();
});

const SHARED = 1n << 47n;
const { SUCCESS, INVALID_OPERAND, ALIGN_ERROR, SUBFUNC_UNSUPPORTED } = TDVMCALL_STATUS;

interface Outcome {
  readonly stopped: StopReason;
  readonly exits: { readonly reason: string; readonly detail: Readonly<Record<string, string | number>> }[];
}

/** Runs a guest program on one vCPU; it is powered off when the program ends. */
function runGuest(
  program: (cpu: GuestCpu) => GuestSoftware,
  devices: { ports?: PortDevice[]; mmio?: MmioDevice[] } = {},
): Outcome {
  const power = new PowerControl();
  const exits: Outcome['exits'] = [];
  house.platform.vmx.boot = inLongMode(function* (cpu) {
    yield* program(cpu);
    yield* tdvmcall(cpu, TDVMCALL.IO, { R12: 2n, R13: 1n, R14: BigInt(power.port), R15: BigInt(power.powerOffValue) });
  });
  const machine = new TdMachine({
    firmware: defaultFirmware(),
    vcpus: 1,
    ports: [power, ...(devices.ports ?? [])],
    mmio: devices.mmio ?? [],
    isOff: () => power.isOff,
    observer: { exit: (_vcpu, reason, detail) => void exits.push({ reason, detail }) },
  });
  return { stopped: house.user((thread) => machine.main(thread)), exits };
}

/** A port that answers with the last value plus one, as the selftests' host does. */
class EchoPort implements PortDevice {
  readonly name = 'echo';
  readonly port = 0x50;
  readonly ports = 4;
  readonly seen: (readonly [number, number])[] = [];
  in(): number {
    return this.seen.at(-1)![1] + 1;
  }
  out(_port: number, size: number, value: number): void {
    this.seen.push([size, value]);
  }
}

const r11 = (cpu: GuestCpu): bigint => cpu.gpr[GPR.R11]!;

describe('selftests', () => {
  it('#2 verify_report_fatal_error: the dump has all registers', () => {
    const { stopped } = runGuest(function* (cpu) {
      yield* tdvmcall(cpu, TDVMCALL.REPORT_FATAL_ERROR, { R12: 0x0baa_aaad_0000_0000n, R14: 14n, R15: 15n });
    });
    expect(stopped.kind).toBe('fatal-error');
    const data = (stopped as Extract<StopReason, { kind: 'fatal-error' }>).data;
    expect(data).toHaveLength(16);
    expect([data[0], data[GPR.R11], data[GPR.R12], data[GPR.R14], data[GPR.R15]]).toEqual([
      77n,
      TDVMCALL.REPORT_FATAL_ERROR,
      0x0baa_aaad_0000_0000n,
      14n,
      15n,
    ]);
    expect([data[GPR.RSP], data[GPR.RBP]]).toEqual([0n, 0n]);
    expect(KVM_SYSTEM_EVENT_TDX_FATAL).toBe(7);
  });

  it('#3 verify_td_ioexit, #6 writes and #7 reads: sizes 1, 2 and 4 arrive, 5 is INVALID_OPERAND', () => {
    const port = new EchoPort();
    const statuses: bigint[] = [];
    const reads: bigint[] = [];
    const { stopped, exits } = runGuest(
      function* (cpu) {
        for (const [size, value] of [
          [1n, 0xabn],
          [2n, 0xabcdn],
          [4n, 0xffab_cdefn],
          [5n, 0n],
        ] as const) {
          statuses.push(yield* tdvmcall(cpu, TDVMCALL.IO, { R12: size, R13: 1n, R14: 0x50n, R15: value }));
          statuses.push(yield* tdvmcall(cpu, TDVMCALL.IO, { R12: size, R13: 0n, R14: 0x50n }));
          if (size !== 5n) reads.push(r11(cpu));
        }
        statuses.push(yield* tdvmcall(cpu, TDVMCALL.IO, { R12: 1n, R13: 2n, R14: 0x50n }));
      },
      { ports: [port] },
    );
    expect(stopped).toEqual({ kind: 'power-off' });
    expect(port.seen).toEqual([
      [1, 0xab],
      [2, 0xabcd],
      [4, 0xffab_cdef],
    ]);
    expect(reads).toEqual([0xacn, 0xabcen, 0xffab_cdf0n]);
    expect(statuses).toEqual([...Array<bigint>(6).fill(SUCCESS), INVALID_OPERAND, INVALID_OPERAND, INVALID_OPERAND]);
    expect(exits[0]).toEqual({ reason: 'KVM_EXIT_IO', detail: { direction: 'out', port: 0x50, size: 1, value: 0xab } });
  });

  it('#5 verify_get_td_vmcall_info: leaf 0 is all zeros', () => {
    let registers: bigint[] = [];
    runGuest(function* (cpu) {
      const status = yield* tdvmcall(cpu, TDVMCALL.GET_TD_VM_CALL_INFO, { R13: 9n, R14: 9n });
      registers = [status, ...[GPR.R11, GPR.R12, GPR.R13, GPR.R14].map((register) => cpu.gpr[register]!)];
    });
    expect(registers).toEqual([SUCCESS, 0n, 0n, 0n, 0n]);
  });

  it('#8, #9 MSRs: the list decides, APICBASE is read only', () => {
    const results: [bigint, bigint][] = [];
    runGuest(function* (cpu) {
      const read = function* (index: bigint): GuestSoftware {
        const status = yield* tdvmcall(cpu, TDVMCALL.RDMSR, { R12: index });
        results.push([status, status === SUCCESS ? r11(cpu) : 0n]);
      };
      results.push([yield* tdvmcall(cpu, TDVMCALL.WRMSR, { R12: 0x830n, R13: 4n }), 0n]);
      yield* read(0x830n);
      yield* read(0x1a0n);
      results.push([yield* tdvmcall(cpu, TDVMCALL.WRMSR, { R12: 0x1bn, R13: 5n }), 0n]);
      yield* read(0x808n);
      yield* read(0x10n);
    });
    expect(results).toEqual([
      [SUCCESS, 0n],
      [SUCCESS, 4n],
      [SUCCESS, 0x1800n],
      [INVALID_OPERAND, 0n],
      [INVALID_OPERAND, 0n],
      [INVALID_OPERAND, 0n],
    ]);
  });

  it('#11, #12 MMIO: sizes 1 to 8, the address without the shared bit; private and odd ones are INVALID_OPERAND', () => {
    const written: [number, bigint][] = [];
    const device: MmioDevice = {
      name: 'mmio',
      base: 0x2_0000_0000,
      size: 4096,
      read: (_offset, size) => BigInt.asUintN(8 * size, 0x1234_5678_90ab_cdefn),
      write: (_offset, size, value) => void written.push([size, value]),
    };
    const statuses: bigint[] = [];
    const reads: bigint[] = [];
    const address = 0x2_0000_0000n | SHARED;
    const { exits } = runGuest(
      function* (cpu) {
        for (const size of [1n, 2n, 4n, 8n]) {
          statuses.push(yield* tdvmcall(cpu, TDVMCALL.MMIO, { R12: size, R13: 0n, R14: address }));
          reads.push(r11(cpu));
          statuses.push(yield* tdvmcall(cpu, TDVMCALL.MMIO, { R12: size, R13: 1n, R14: address, R15: 0x1122_3344_5566_7788n }));
        }
        statuses.push(yield* tdvmcall(cpu, TDVMCALL.MMIO, { R12: 10n, R13: 0n, R14: address }));
        statuses.push(yield* tdvmcall(cpu, TDVMCALL.MMIO, { R12: 8n, R13: 1n, R14: 0xfffn }));
        // The size is a C int: upper bits are lost before it is tested.
        statuses.push(yield* tdvmcall(cpu, TDVMCALL.MMIO, { R12: 0x1_0000_0004n, R13: 0n, R14: address }));
      },
      { mmio: [device] },
    );
    expect(reads).toEqual([0xefn, 0xcdefn, 0x90ab_cdefn, 0x1234_5678_90ab_cdefn]);
    expect(written).toEqual([
      [1, 0x88n],
      [2, 0x7788n],
      [4, 0x5566_7788n],
      [8, 0x1122_3344_5566_7788n],
    ]);
    expect(statuses).toEqual([...Array<bigint>(8).fill(SUCCESS), INVALID_OPERAND, INVALID_OPERAND, SUCCESS]);
    expect(exits[0]!.detail.gpa).toBe('0x200000000');
  });

  it('#13 verify_td_cpuid_tdcall: the values of KVM_SET_CPUID2', () => {
    let words: bigint[] = [];
    runGuest(function* (cpu) {
      yield* tdvmcall(cpu, TDVMCALL.CPUID, { R12: 1n });
      words = [GPR.R12, GPR.R14].map((register) => cpu.gpr[register]!);
    });
    const [eax, , ecx] = house.platform.lps[0]!.cpuid(1);
    expect(words).toEqual([BigInt(eax), BigInt((ecx | (1 << 21)) >>> 0)]);
  });

  it('MapGPA: range before alignment, each with the failing address; an unknown sub-function is not supported', () => {
    const results: [bigint, bigint][] = [];
    runGuest(function* (cpu) {
      for (const [gpa, size] of [
        [0x1001n, 0n],
        [SHARED - 0x1000n, 0x2000n],
        [SHARED * 2n, 0x1000n],
        [0x1001n, 0x1000n],
        [0x1000n, 0x800n],
      ] as const) {
        results.push([yield* tdvmcall(cpu, TDVMCALL.MAP_GPA, { R12: gpa, R13: size }), r11(cpu)]);
      }
      results.push([yield* tdvmcall(cpu, TDVMCALL.WBINVD, {}), 0n]);
    });
    expect(results).toEqual([
      [INVALID_OPERAND, 0x1001n],
      [INVALID_OPERAND, SHARED - 0x1000n],
      [INVALID_OPERAND, SHARED * 2n],
      [ALIGN_ERROR, 0x1001n],
      [ALIGN_ERROR, 0x1000n],
      [SUBFUNC_UNSUPPORTED, 0n],
    ]);
  });

  it('MapGPA reaches userspace in chunks of 2 MiB', () => {
    const { exits } = runGuest(function* (cpu) {
      yield* tdvmcall(cpu, TDVMCALL.MAP_GPA, { R12: SHARED + 0x100_1000n, R13: 0x50_0000n });
    });
    const lengths = exits.filter(({ reason }) => reason === 'KVM_EXIT_HYPERCALL').map(({ detail }) => detail.length);
    expect(lengths).toEqual([0x20_0000, 0x20_0000, 0x10_0000]);
  });
});
