/** The main job under every profile: it ends as that version of the software did. */
import { describe, expect, it } from 'vitest';
import { loadKvm } from '../../src/kvm/index.ts';
import type { KnobVector } from '../../src/lab/knobs.ts';
import { PROFILES } from '../../src/lab/profiles.ts';
import type { BootReport } from '../../src/lab/report.ts';
import { type Cpu, tdx_get_sysinfo } from '../../src/linux/index.ts';
import { EACCES, EINVAL, EIO } from '../../src/spec/errno.ts';
import { TDX_OPERAND_INVALID } from '../../src/spec/status.ts';
import { notOk, run } from './runs.ts';
import { booted, poweredOn } from './world.ts';

const FAILS_AGAIN = expect.stringMatching(/^kexec: failed, -EIO/);
const lacks = (phase: string, profile: string): string => `${phase}: skipped, not in profile ${profile}`;

interface Expected {
  readonly profile: string;
  /** The phase in which the module is initialised. */
  readonly starts: 'linux' | 'kvm';
  readonly td: boolean;
  readonly notOk: readonly unknown[];
}

const EXPECTED: readonly Expected[] = [
  { profile: '7.1', starts: 'linux', td: true, notOk: [FAILS_AGAIN] },
  { profile: '6.18', starts: 'kvm', td: true, notOk: [FAILS_AGAIN] },
  { profile: '6.16', starts: 'kvm', td: true, notOk: [lacks('kexec', '6.16')] },
  { profile: '6.8', starts: 'linux', td: false, notOk: [lacks('kvm', '6.8'), lacks('kexec', '6.8')] },
  { profile: 'host-v12', starts: 'linux', td: false, notOk: [lacks('kvm', 'host-v12'), FAILS_AGAIN] },
  { profile: 'host-v7', starts: 'linux', td: false, notOk: [lacks('kvm', 'host-v7'), lacks('kexec', 'host-v7')] },
  { profile: 'host-v5', starts: 'linux', td: false, notOk: [lacks('kvm', 'host-v5'), lacks('kexec', 'host-v5')] },
];

const startedIn = ({ steps }: BootReport): string | undefined =>
  steps.find(({ name }) => name.includes('TDH.SYS.KEY.CONFIG'))?.phase;

const reports = new Map<string, BootReport>();
const reportOf = (profile: string): BootReport => {
  const report = reports.get(profile) ?? run({ profile });
  reports.set(profile, report);
  return report;
};

describe('every profile', () => {
  it('is expected to end in some way', () => {
    const expected = EXPECTED.map(({ profile }) => profile);
    const guests = PROFILES.filter(({ knobs }) =>
      Object.keys(knobs).every((knob) => knob.startsWith('guest.') || knob.startsWith('kvm.')),
    );
    const reference = guests.map(({ name }) => name).filter((name) => !expected.includes(name));
    expect([...expected, ...reference].toSorted()).toEqual(PROFILES.map(({ name }) => name).toSorted());
  });

  it.each(EXPECTED)('$profile ends well, and says what it lacks', ({ profile, starts, td, notOk: wanted }) => {
    const report = reportOf(profile);
    expect(report.verdict).toMatchObject({ kind: 'ok' });
    expect(notOk(report)).toEqual(wanted);
    expect(startedIn(report)).toBe(starts);
    expect(report.attestation !== null).toBe(td);
    expect(report.findings).toEqual([]);
    if (!td) expect(report.seamcalls).not.toHaveProperty('TDH.MNG.CREATE');
    expect(report.seamcalls['TDH.SYS.TDMR.INIT']).toBe(1024);
  });

  it('the same MRTD comes out of every profile that runs a TD', () => {
    const mrtds = EXPECTED.filter(({ td }) => td).map(({ profile }) => reportOf(profile).attestation!.mrtd);
    expect(new Set(mrtds).size).toBe(1);
  });
});

const ON_DEMAND: KnobVector = { 'kernel.tdxInit': 'on-demand', 'kernel.vmxonOwner': 'kvm' };

describe('KVM starts TDX (up to 7.0)', () => {
  const load = (cpu: Cpu) => loadKvm(cpu);

  it('by VMXON, LP.INIT on every CPU and the module; the kernel by itself did nothing', () => {
    const machine = booted(ON_DEMAND);
    const { kernel, platform } = machine;
    expect([...platform.seam.calls.keys()].filter((name) => name.startsWith('TDH.'))).toEqual([]);
    expect(platform.lps.some(({ vmxOn }) => vmxOn)).toBe(false);
    expect(machine.onCpu(0, 'modprobe', load)).toMatchObject({ kind: 'returned', value: { tdx: {} } });
    expect(platform.lps.every(({ vmxOn }) => vmxOn)).toBe(true);
    expect(platform.seam.calls.get('TDH.SYS.LP.INIT')).toBe(8);
    expect(tdx_get_sysinfo(kernel!.cpus[0]!)).not.toBeNull();
  });

  it('[S0-53] a failure fails the load, leaves VMX operation, and sticks: the second load gets -EINVAL', () => {
    const machine = booted(ON_DEMAND);
    machine.module!.faults.inject('SYS_TDMR_INIT', TDX_OPERAND_INVALID, 5);
    expect(machine.onCpu(0, 'modprobe', load)).toEqual({ kind: 'returned', value: -EIO });
    expect(machine.platform.lps.some(({ vmxOn }) => vmxOn)).toBe(false);
    expect(machine.kernel!.cpuhpStates).toEqual([]);
    expect(machine.kernel!.pages.outstanding().has('PAMT')).toBe(false);
    expect(machine.onCpu(0, 'modprobe', load)).toEqual({ kind: 'returned', value: -EINVAL });
  });

  it('without a module in SEAM KVM loads, with TDX off', () => {
    const machine = poweredOn({ ...ON_DEMAND, 'bios.seamModule': 'absent' });
    machine.bootLinux();
    expect(machine.onCpu(0, 'modprobe', load)).toMatchObject({ kind: 'returned', value: { tdx: null } });
    expect(machine.kernel!.log.lines('kvm_intel').join()).toMatch(/TDX is off/);
    expect(machine.platform.lps.some(({ vmxOn }) => vmxOn)).toBe(false);
  });

  it('[S1-02] a kernel that starts the module itself and leaves VMXON to KVM gets #UD', () => {
    const machine = poweredOn({ 'kernel.vmxonOwner': 'kvm' });
    expect(machine.bootLinux()).toEqual({ kind: 'returned', value: -EACCES });
  });
});
