import { GPR, type GuestCpu, type GuestSoftware } from '../platform/guest-cpu.ts';
import { statusName } from '../spec/status.ts';
import { TDVMCALL } from '../spec/tdvmcall.ts';
import { acceptMemory, newTally } from './accept.ts';
import { extendRtmr, getReport } from './attest.ts';
import { setMemoryPrivate, setMemoryShared } from './convert.ts';
import { type MemoryResource, readTdHob } from './hob.ts';
import { TdGuest } from './kernel.ts';
import type { GuestKnobs } from './knobs.ts';
import { type GuestObserver, GuestPanic } from './observer.ts';
import { startGuest } from './start.ts';
import { tdvmcall } from './tdvmcall.ts';

/** Where the VMM's devices are, as a guest would learn from ACPI. */
export interface GuestDevices {
  /** GPA (without the shared bit) of the test device's 32-bit register. */
  readonly mmio: bigint;
  /** A port that takes bytes. */
  readonly port: number;
  /** ACPI PM1a control port and the value that powers the TD off. */
  readonly powerOff: { readonly port: number; readonly value: number };
}

export interface MainJob {
  readonly knobs: GuestKnobs;
  readonly observer: GuestObserver;
  readonly devices: GuestDevices;
  /** 64 bytes that the guest keeps in private memory; nobody else may ever see them. */
  readonly secrets: Uint8Array;
  /** 64 bytes of report data. */
  readonly reportData: Uint8Array;
  /** 48 bytes to extend RTMR 2 with. */
  readonly rtmrDigest: Uint8Array;
}

const MiB2 = 0x20_0000n;
const PAGE = 0x1000n;
const HYPERVISOR_LEAF = 0x4000_0000n;
const MMIO_VALUE = 0x1234_5678n;

/** The guest of the main job: every vCPU starts as Linux does; the first one does the work, the others halt. */
export function mainJobGuest(job: MainJob): (cpu: GuestCpu) => GuestSoftware {
  const guest = new TdGuest(job.knobs, job.observer);
  return function* run(cpu: GuestCpu): GuestSoftware {
    try {
      yield* boot(guest, job, cpu);
    } catch (reason) {
      if (!(reason instanceof GuestPanic)) throw reason;
      job.observer.log(`Kernel panic - not syncing: ${reason.message}`);
      job.observer.milestone('panic', { message: reason.message });
    }
    for (;;) yield* tdvmcall(cpu, TDVMCALL.HLT, { R12: 0n });
  };
}

function* boot(guest: TdGuest, job: MainJob, cpu: GuestCpu): GuestSoftware {
  const hob = cpu.gpr[GPR.RCX]!;
  const info = yield* startGuest(guest, cpu);
  if (!info) throw new GuestPanic('not a TD');
  if (info.vcpuIndex !== 0) return;
  job.observer.milestone('start', {
    gpaWidth: info.gpaWidth,
    attributes: info.attributes,
    vcpus: info.vcpus,
    maxVcpus: info.maxVcpus,
  });
  yield* work(guest, job, cpu, hob);
  yield* powerOff(job, cpu);
}

function* work(guest: TdGuest, job: MainJob, cpu: GuestCpu, hob: bigint): GuestSoftware {
  const base = workArea(yield* readTdHob(cpu, hob));
  yield* accept(job, cpu, base);
  yield* guest.loadText(cpu, base);
  yield* usePrivateMemory(job, cpu, base + PAGE);
  yield* convert(guest, job, cpu, base + 2n * PAGE);
  yield* touchDevices(guest, job, cpu);
  yield* hypervisorCpuid(guest, job, cpu);
  yield* attest(job, cpu, base + 4n * PAGE);
}

/** The first 2 MiB-aligned 2 MiB of unaccepted memory above the first: legacy memory is firmware's. */
function workArea(memory: readonly MemoryResource[]): bigint {
  for (const { start, length, unaccepted } of memory) {
    const base = start < MiB2 ? MiB2 : ((start + MiB2 - 1n) / MiB2) * MiB2;
    if (unaccepted && base + MiB2 <= start + length) return base;
  }
  throw new GuestPanic('no unaccepted memory in the TD HOB');
}

function* accept(job: MainJob, cpu: GuestCpu, base: bigint): GuestSoftware {
  const tally = newTally();
  if (!(yield* acceptMemory(cpu, base, base + MiB2, tally)))
    throw new GuestPanic(`memory acceptance failed: ${statusName(tally.lastRefusal[0])}`);
  job.observer.milestone('accept', {
    base,
    accepted2M: tally.accepted[1],
    accepted4K: tally.accepted[0],
    refused2M: tally.refused[1],
    refusal2M: tally.refused[1] > 0 ? statusName(tally.lastRefusal[1]) : '',
  });
}

function* usePrivateMemory(job: MainJob, cpu: GuestCpu, page: bigint): GuestSoftware {
  const fresh = yield* cpu.loadBytes(page, 64);
  yield* cpu.storeBytes(page, job.secrets);
  const back = yield* cpu.loadBytes(page, 64);
  expect(isZero(fresh), 'an accepted page is not zeros');
  expect(isSame(back, job.secrets), 'private memory does not hold what was written');
  job.observer.milestone('private-memory', { page, fresh: 'zeros', readBack: 'same' });
}

/** A private page becomes shared, carries a message to the host, and comes back as zeros. */
function* convert(guest: TdGuest, job: MainJob, cpu: GuestCpu, page: bigint): GuestSoftware {
  yield* cpu.storeBytes(page, job.secrets);
  const toShared = yield* setMemoryShared(guest, cpu, page, PAGE);
  if (toShared !== 0) throw new GuestPanic('set_memory_decrypted failed');
  const message = new TextEncoder().encode('hello from the TD');
  yield* cpu.storeBytes(guest.pageTable.gpa(page), message);
  const back = yield* cpu.loadBytes(guest.pageTable.gpa(page), message.length);
  const toPrivate = yield* setMemoryPrivate(guest, cpu, page, PAGE);
  if (toPrivate !== 0) throw new GuestPanic('set_memory_encrypted failed');
  const after = yield* cpu.loadBytes(page, 64);
  expect(isSame(back, message), 'shared memory does not hold what was written');
  expect(isZero(after), 'a page that became private again is not zeros');
  job.observer.milestone('convert', { page, shared: 'same', private: 'zeros' });
}

function* touchDevices(guest: TdGuest, job: MainJob, cpu: GuestCpu): GuestSoftware {
  const { mmio, port } = job.devices;
  guest.pageTable.share(mmio & ~(PAGE - 1n), PAGE);
  yield* guest.mmioWrite(cpu, mmio, 4, MMIO_VALUE);
  const value = yield* guest.mmioRead(cpu, mmio, 4);
  expect(value === MMIO_VALUE, `the device register reads as 0x${value.toString(16)}`);
  job.observer.milestone('mmio', { gpa: mmio, read: value });
  cpu.gpr[GPR.RAX] = BigInt('T'.codePointAt(0)!);
  yield* cpu.io('out', port, 1);
  job.observer.milestone('port', { port });
}

function* hypervisorCpuid(guest: TdGuest, job: MainJob, cpu: GuestCpu): GuestSoftware {
  cpu.gpr[GPR.RAX] = HYPERVISOR_LEAF;
  cpu.gpr[GPR.RCX] = 0n;
  yield* cpu.cpuid();
  job.observer.milestone('cpuid', {
    leaf: HYPERVISOR_LEAF,
    eax: cpu.gpr[GPR.RAX]!,
    ebx: cpu.gpr[GPR.RBX]!,
    ves: [...guest.veCounts.values()].reduce((a, b) => a + b, 0),
  });
}

function* attest(job: MainJob, cpu: GuestCpu, buffer: bigint): GuestSoftware {
  const errno = yield* extendRtmr(cpu, buffer, 2, job.rtmrDigest);
  if (errno !== 0) throw new GuestPanic(`RTMR extend failed (${errno})`);
  const report = yield* getReport(cpu, buffer, job.reportData);
  if (typeof report === 'number') throw new GuestPanic(`TDG.MR.REPORT failed (${report})`);
  job.observer.milestone('report', { tdreport: [...report].map((byte) => byte.toString(16).padStart(2, '0')).join('') });
}

function* powerOff(job: MainJob, cpu: GuestCpu): GuestSoftware {
  job.observer.milestone('power-off', {});
  cpu.gpr[GPR.RAX] = BigInt(job.devices.powerOff.value);
  yield* cpu.io('out', job.devices.powerOff.port, 2);
}

/** What the guest relies on: a TD whose memory or device lies to it goes no further. */
const expect = (holds: boolean, otherwise: string): void => {
  if (!holds) throw new GuestPanic(otherwise);
};
const isZero = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0);
const isSame = (a: Uint8Array, b: Uint8Array): boolean => a.every((byte, i) => byte === b[i]);
