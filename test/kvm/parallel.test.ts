import { expect, it } from 'vitest';
import { acceptMemory, tdvmcall } from '../../src/guest/index.ts';
import type { GuestCpu, GuestSoftware } from '../../src/platform/guest-cpu.ts';
import { TDVMCALL } from '../../src/spec/tdvmcall.ts';
import { PowerControl, TdMachine } from '../../src/vmm/index.ts';
import { defaultFirmware } from '../../src/vmm/tdvf/index.ts';
import { House, inLongMode } from './house.ts';

const VCPUS = 4;
const SHARED = 1n << 47n;
const PAGE = 0x1000n;
const FIRST = 0x20_0000n;
const APART = 0x4_0000n;
const ACCEPTED_PAGES = 8n;
const CONVERTED_PAGES = 2n;

/** Private to shared and back, then accepted and written again. */
function* convert(cpu: GuestCpu, gpa: bigint, fill: number): GuestSoftware {
  expect(yield* tdvmcall(cpu, TDVMCALL.MAP_GPA, { R12: SHARED | gpa, R13: PAGE })).toBe(0n);
  expect(yield* tdvmcall(cpu, TDVMCALL.MAP_GPA, { R12: gpa, R13: PAGE })).toBe(0n);
  expect(yield* acceptMemory(cpu, gpa, gpa + PAGE)).toBe(true);
  yield* cpu.storeBytes(gpa, new Uint8Array(64).fill(fill));
}

/** Each vCPU converts pages of its own, beside the others in one 2 MiB region; vCPU 0 turns the TD off when all are done. */
function bootOf(power: PowerControl, read: Uint8Array[]) {
  let booted = 0;
  let done = 0;
  return inLongMode(function* (cpu) {
    const me = booted++;
    const base = FIRST + BigInt(me) * APART;
    expect(yield* acceptMemory(cpu, base, base + ACCEPTED_PAGES * PAGE)).toBe(true);
    for (let i = 0n; i < CONVERTED_PAGES; i++) yield* convert(cpu, base + i * PAGE, me + 1);
    read[me] = yield* cpu.loadBytes(base, 64);
    done++;
    while (done < VCPUS) yield* cpu.pause();
    const off = { R12: 2n, R13: 1n, R14: BigInt(power.port), R15: BigInt(power.powerOffValue) };
    yield* tdvmcall(cpu, TDVMCALL.IO, off);
    for (;;) yield* tdvmcall(cpu, TDVMCALL.HLT, {});
  });
}

const SCHEDULES = [
  { schedule: 'plain', seed: 1n },
  { schedule: 'seeded', seed: 1n },
  { schedule: 'seeded', seed: 2n },
  { schedule: 'seeded', seed: 3n },
] as const;

it.each(SCHEDULES)(
  'four vCPUs accept and convert memory at the same time, $schedule schedule, seed $seed',
  ({ schedule, seed }) => {
    const house = new House({ 'hw.schedule': schedule }, seed);
    const power = new PowerControl();
    const read: Uint8Array[] = [];
    house.platform.vmx.boot = bootOf(power, read);
    const machine = new TdMachine({ firmware: defaultFirmware(), vcpus: VCPUS, ports: [power], isOff: () => power.isOff });
    expect(house.user((thread) => machine.main(thread))).toEqual({ kind: 'power-off' });
    expect(read.map((bytes) => [...new Set(bytes)])).toEqual([[1], [2], [3], [4]]);
    const { events } = house.platform.events;
    expect(events.some((event) => event.kind === 'td-run' && event.result === 'INTERRUPT')).toBe(true);
    expect(events.filter((event) => event.name === 'KVM_BUG_ON')).toEqual([]);
    expect([...house.kernel.pages.outstanding().keys()].filter((owner) => owner.startsWith('kvm'))).toEqual([]);
    expect([...house.kernel.tdx.guestKeyIds!.inUse]).toEqual([]);
  },
);
