import { describe, expect, it } from 'vitest';
import { cpu_down, cpu_up, tdx_guest_keyid_alloc, tdx_guest_keyid_free } from '../../src/linux/index.ts';
import { EBUSY, EINVAL, EIO, ENOSPC, EPERM } from '../../src/spec/errno.ts';
import { TDH } from '../../src/spec/leaves.ts';
import { TDX_OPERAND_INVALID } from '../../src/spec/status.ts';
import { type Bench, bench, boot, run } from './fake-seam.ts';

const MiB = 2 ** 20;
const GiB = 2 ** 30;
const booted = (knobs = {}): Bench => {
  const machine = bench(knobs);
  boot(machine.kernel);
  return machine;
};
const online = ({ kernel }: Bench, base: number, size: number): number =>
  kernel.memoryNotifiers.online_memory(kernel.cpus[0]!, { base, size }, 1);

describe('memory hotplug', () => {
  it('[S1-33] once the module is initialised only its own memory comes online', () => {
    const machine = booted();
    expect(online(machine, 8 * GiB, GiB)).toBe(-EPERM);
    expect(online(machine, 4 * GiB + 128 * MiB, 128 * MiB)).toBe(0);
    expect(online(booted({ 'kernel.tdxInit': 'on-demand' }), 8 * GiB, GiB)).toBe(0);
  });

  it('[S1-34] a range that reaches out of its entry is refused', () => {
    const machine = booted();
    const [, second] = machine.kernel.tdx.memlist;
    expect(online(machine, second!.end - 64 * MiB, 128 * MiB)).toBe(-EPERM);
    expect(online(machine, second!.end - 64 * MiB, 64 * MiB)).toBe(0);
  });

  it('[S1-35] what goes offline may come back', () => {
    const machine = booted();
    const block = { base: 5 * GiB, size: 128 * MiB };
    expect(machine.kernel.memoryNotifiers.offline_memory(block)).toBe(0);
    expect(machine.kernel.pages.isFree(block.base)).toBe(false);
    expect(online(machine, block.base, block.size)).toBe(0);
    expect(machine.kernel.pages.isFree(block.base)).toBe(true);
  });

  it('is free again after a failed initialisation', () => {
    const machine = bench();
    machine.seam.fail(TDH.SYS_TDMR_INIT, TDX_OPERAND_INVALID);
    boot(machine.kernel);
    expect(online(machine, 8 * GiB, GiB)).toBe(0);
  });

  it('[S1-28] hangs on what the policy looks at', () => {
    const refused = (knobs: Record<string, string>): boolean =>
      online(booted({ 'kernel.tdxInit': 'on-demand', ...knobs }), 8 * GiB, GiB) !== 0;
    expect(refused({ 'hotplug.keyOn': 'initialized' })).toBe(false);
    expect(refused({ 'hotplug.keyOn': 'loaded' })).toBe(true);
    expect(refused({ 'hotplug.keyOn': 'bios' })).toBe(true);
    expect(refused({ 'hotplug.keyOn': 'loaded', 'bios.seamModule': 'absent' })).toBe(false);
  });

  it('[S1-27] use_tdx chooses between TDX and hotplug', () => {
    const off = bench({ 'cmdline.use_tdx': 'off' });
    expect(boot(off.kernel)).toBeLessThan(0);
    expect(online(off, 8 * GiB, GiB)).toBe(0);
    const on = bench({ 'cmdline.use_tdx': 'on' });
    expect(boot(on.kernel)).toBe(0);
    expect(online(on, 8 * GiB, GiB)).toBe(-EPERM);
  });

  it('[S1-30] a precheck in the driver-managed path leaves ACPI alone, one in the general path does not', () => {
    const add = (precheckAt: string): number[] => {
      const { memoryNotifiers } = booted({ 'hotplug.precheckAt': precheckAt }).kernel;
      return [true, false].map((driverManaged) => memoryNotifiers.add_memory({ base: 8 * GiB, size: GiB }, driverManaged));
    };
    expect(add('notifier')).toEqual([0, 0]);
    expect(add('driver-managed')).toEqual([-EINVAL, 0]);
    expect(add('all')).toEqual([-EINVAL, -EINVAL]);
  });
});

describe('CPU hotplug', () => {
  it('[S1-41] the last CPU of a package stays while a TD has a KeyID', () => {
    const machine = booted();
    const { kernel } = machine;
    const down = (id: number): number => run(kernel, (cpu) => cpu_down(cpu, id));
    const keyId = tdx_guest_keyid_alloc(kernel.cpus[0]!);
    expect(down(2)).toBe(0);
    expect(down(3)).toBe(-EBUSY);
    expect(kernel.log.lines('virt/tdx').at(-1)).toContain('all packages to have an online CPU');
    tdx_guest_keyid_free(kernel.cpus[0]!, keyId);
    expect(down(3)).toBe(0);
    expect(kernel.cpus[3]!.lp.vmxOn).toBe(false);
  });

  it('[S1-40] a CPU whose LP.INIT fails does not come online; one that was initialised before is not asked again', () => {
    const machine = booted();
    const { kernel, seam } = machine;
    run(kernel, (cpu) => cpu_down(cpu, 1));
    const calls = seam.count(TDH.SYS_LP_INIT);
    expect(run(kernel, (cpu) => cpu_up(cpu, 1))).toBe(0);
    expect(seam.count(TDH.SYS_LP_INIT)).toBe(calls);
    run(kernel, (cpu) => cpu_down(cpu, 1));
    kernel.cpus[1]!.lpInitialized = false;
    seam.fail(TDH.SYS_LP_INIT, TDX_OPERAND_INVALID);
    expect(run(kernel, (cpu) => cpu_up(cpu, 1))).toBe(-EIO);
    expect(kernel.cpus[1]!.online).toBe(false);
    expect(kernel.cpus[1]!.lp.vmxOn).toBe(false);
  });

  it("[S1-43] without the kernel's own flag TDH.SYS.LP.INIT runs twice and fails", () => {
    const { kernel } = booted();
    run(kernel, (cpu) => cpu_down(cpu, 1));
    kernel.cpus[1]!.lpInitialized = false;
    expect(run(kernel, (cpu) => cpu_up(cpu, 1))).toBe(-EIO);
  });
});

describe('KeyIDs for TDs', () => {
  it('run out with -ENOSPC and come back', () => {
    const [cpu] = booted().kernel.cpus;
    const all = Array.from({ length: 47 }, () => tdx_guest_keyid_alloc(cpu!));
    expect(all).toEqual(Array.from({ length: 47 }, (_, i) => 17 + i));
    expect(tdx_guest_keyid_alloc(cpu!)).toBe(-ENOSPC);
    tdx_guest_keyid_free(cpu!, 20);
    expect(tdx_guest_keyid_alloc(cpu!)).toBe(20);
  });
});
