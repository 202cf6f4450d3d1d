import { describe, expect, it } from 'vitest';
import { guestKnobs, mainJobGuest } from '../../src/guest/index.ts';
import { EFAULT } from '../../src/spec/errno.ts';
import { readKnobs } from '../../src/spec/knob.ts';
import { type MmioDevice, PowerControl, Serial, TdMachine, TestRegister } from '../../src/vmm/index.ts';
import { defaultFirmware } from '../../src/vmm/tdvf/index.ts';
import { House, inLongMode } from './house.ts';

const MMIO = 0xd000_0000;

/** Runs the main job's guest with this device; a guest that panics halts for ever, so the VMM never comes to its end. */
function panicWith(device: MmioDevice): string | undefined {
  const house = new House();
  const serial = new Serial();
  const power = new PowerControl();
  let panic: string | undefined;
  house.platform.vmx.boot = inLongMode(
    mainJobGuest({
      knobs: readKnobs(guestKnobs, {}),
      observer: {
        log: () => undefined,
        milestone: (name, facts) => {
          if (name === 'panic') panic = String(facts.message);
        },
      },
      devices: { mmio: BigInt(MMIO), port: serial.port, powerOff: { port: power.port, value: power.powerOffValue } },
      secrets: new Uint8Array(64).fill(0x5a),
      reportData: new Uint8Array(64).fill(7),
      rtmrDigest: new Uint8Array(48).fill(9),
    }),
  );
  const machine = new TdMachine({
    firmware: defaultFirmware(),
    ports: [serial, power],
    mmio: [device],
    isOff: () => power.isOff,
  });
  const run = () => house.user((thread) => machine.main(thread));
  if (device instanceof TestRegister) expect(run()).toEqual({ kind: 'power-off' });
  else expect(run).toThrow('stuck');
  return panic;
}

describe('the guest of the main job', () => {
  it('panics when a device register does not hold what was written, and not when it does', () => {
    const liar: MmioDevice = { name: 'liar', base: MMIO, size: 4096, read: () => 0xbadn, write: () => undefined };
    expect(panicWith(liar)).toBe('the device register reads as 0xbad');
    expect(panicWith(new TestRegister(MMIO))).toBeUndefined();
  });
});

it('a guest that touches private memory which no slot backs ends the TD, and does not fault for ever', () => {
  const house = new House();
  house.platform.vmx.boot = inLongMode(function* (cpu) {
    yield* cpu.loadBytes(0x80_0000_0000n, 8);
  });
  const machine = new TdMachine({ firmware: defaultFirmware(), vcpus: 1 });
  expect(house.user((thread) => machine.main(thread))).toEqual({ kind: 'call-failed', call: 'KVM_RUN', errno: -EFAULT });
});
