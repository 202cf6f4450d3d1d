import { beforeAll, describe, expect, it } from 'vitest';
import { guestKnobs, mainJobGuest } from '../../src/guest/index.ts';
import { measure } from '../../src/lab/measure.ts';
import { readKnobs } from '../../src/spec/knob.ts';
import { TDINFO_STRUCT, TDREPORT_STRUCT } from '../../src/spec/layouts.ts';
import { PowerControl, Serial, type StopReason, TdMachine, TestRegister } from '../../src/vmm/index.ts';
import { defaultFirmware, parseTdvf } from '../../src/vmm/tdvf/index.ts';
import { House, inLongMode } from './house.ts';

const MMIO = 0xd000_0000;

describe('the main job on the default image', () => {
  const house = new House();
  const serial = new Serial();
  const register = new TestRegister(MMIO);
  const power = new PowerControl();
  const milestones = new Map<string, Readonly<Record<string, string | number | bigint>>>();
  const exits: string[] = [];
  let stopped: StopReason;

  beforeAll(() => {
    const observer = {
      log: () => undefined,
      milestone: (name: string, facts: Readonly<Record<string, string | number | bigint>>) => void milestones.set(name, facts),
    };
    house.platform.vmx.boot = inLongMode(
      mainJobGuest({
        knobs: readKnobs(guestKnobs, {}),
        observer,
        devices: { mmio: BigInt(MMIO), port: serial.port, powerOff: { port: power.port, value: power.powerOffValue } },
        secrets: new Uint8Array(64).fill(0x5a),
        reportData: new Uint8Array(64).fill(7),
        rtmrDigest: new Uint8Array(48).fill(9),
      }),
    );
    const machine = new TdMachine({
      firmware: defaultFirmware(),
      ports: [serial, power],
      mmio: [register],
      isOff: () => power.isOff,
      observer: { exit: (_vcpu, reason) => void exits.push(reason) },
    });
    stopped = house.user((thread) => machine.main(thread));
  });

  it('runs from KVM_CREATE_VM to power-off in the documented order', () => {
    expect(stopped).toEqual({ kind: 'power-off' });
    const ioctls = house.platform.events.events.filter((event) => event.kind === 'ioctl').map((event) => event.name);
    const order = [
      'KVM_CREATE_VM',
      'KVM_TDX_CAPABILITIES',
      'KVM_ENABLE_CAP',
      'KVM_TDX_INIT_VM',
      'KVM_CREATE_GUEST_MEMFD',
      'KVM_SET_USER_MEMORY_REGION2',
      'KVM_SET_MEMORY_ATTRIBUTES',
      'KVM_CREATE_VCPU',
      'KVM_SET_CPUID2',
      'KVM_TDX_INIT_VCPU',
      'KVM_TDX_INIT_MEM_REGION',
      'KVM_TDX_FINALIZE_VM',
      'KVM_RUN',
    ];
    const first = order.map((name) => ioctls.indexOf(name));
    expect(first.every((at) => at >= 0)).toBe(true);
    expect([...first].sort((a, b) => a - b)).toEqual(first);
  });

  it('measures what the tool measures', () => {
    const report = Uint8Array.from((milestones.get('report')!.tdreport as string).match(/../g)!, (byte) =>
      Number.parseInt(byte, 16),
    );
    const mrtd = TDINFO_STRUCT.MRTD.get(TDREPORT_STRUCT.TDINFO_STRUCT.get(report));
    const hex = [...mrtd].map((byte) => byte.toString(16).padStart(2, '0')).join('');
    const { sections } = parseTdvf(defaultFirmware());
    expect(hex).toBe(measure(sections).mrtd);
    expect(hex).not.toBe(measure(sections, { order: 'two-pass' }).mrtd);
  });

  it('reaches the devices by MMIO and ports', () => {
    expect(milestones.get('mmio')).toMatchObject({ read: 0x1234_5678n });
    expect([register.reads, register.writes, register.value]).toEqual([1, 1, 0x1234_5678n]);
    expect(serial.text).toBe('T');
    expect(exits.filter((reason) => reason === 'KVM_EXIT_MMIO')).toHaveLength(2);
  });

  it('[S2-76] maps private memory in 4 KiB pages, so a 2 MiB accept falls back', () => {
    expect(milestones.get('accept')).toMatchObject({ accepted2M: 0, accepted4K: 512, refused2M: 1 });
    expect(milestones.get('accept')!.refusal2M).toContain('TDX_PAGE_SIZE_MISMATCH');
  });

  it('converts a page by MapGPA in both directions', () => {
    expect(milestones.get('convert')).toMatchObject({ shared: 'same', private: 'zeros' });
    expect(exits.filter((reason) => reason === 'KVM_EXIT_HYPERCALL')).toHaveLength(2);
  });

  it('never reads the S-EPT through the module', () => {
    expect(house.platform.seam.calls.get('TDH.MEM.SEPT.RD') ?? 0).toBe(0);
    expect(house.platform.seam.calls.get('TDH.MEM.PAGE.AUG')).toBeGreaterThan(512);
  });

  it('leaves no page and no KeyID behind', () => {
    const owners = [...house.kernel.pages.outstanding().keys()];
    expect(owners.filter((owner) => owner.startsWith('kvm:') || owner === 'user')).toEqual([]);
    expect([...house.kernel.pages.outstanding().keys()]).toContain('PAMT');
    expect([...house.kernel.tdx.guestKeyIds!.inUse]).toEqual([]);
    expect(house.kvm.vms.size).toBe(0);
  });

  it('tears down in the order of Linux 7.1: pages, flush, key, control pages, TDR', () => {
    const names = house.platform.events.events.filter((event) => event.kind === 'seamcall').map((event) => event.name);
    const last = (name: string) => names.lastIndexOf(name);
    const firstReclaim = names.indexOf('TDH.PHYMEM.PAGE.RECLAIM');
    const order = [
      last('TDH.MEM.PAGE.REMOVE'),
      last('TDH.VP.FLUSH'),
      last('TDH.MNG.VPFLUSHDONE'),
      last('TDH.PHYMEM.CACHE.WB'),
      last('TDH.MNG.KEY.FREEID'),
      firstReclaim,
      last('TDH.PHYMEM.PAGE.RECLAIM'),
      last('TDH.PHYMEM.PAGE.WBINVD'),
    ];
    expect([...order].sort((a, b) => a - b)).toEqual(order);
    expect(last('TDH.PHYMEM.PAGE.WBINVD')).toBe(names.length - 1);
  });
});
