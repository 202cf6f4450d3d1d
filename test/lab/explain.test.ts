/** The causal chain, told from provenance alone, for failures of different kinds. */
import { describe, expect, it } from 'vitest';
import { type CausalStep, explain, renderChain } from '../../src/lab/explain.ts';
import type { Machine } from '../../src/lab/machine.ts';
import { Attacker, type LogicalProcessor, MachineCheck, Platform, smallMap } from '../../src/platform/index.ts';
import { Probe } from '../../src/platform/probe.ts';
import { booted, on, poweredOn, tdmrsOf } from './world.ts';

const PAGE = 0x4000_0000;
const roles = (chain: readonly CausalStep[]): string[] => chain.map(({ role }) => role);
const nameOf = (probe: Probe, step: CausalStep | undefined): string | undefined => probe.events.get(step?.event ?? 0)?.name;
const role = (chain: readonly CausalStep[], wanted: CausalStep['role']): CausalStep | undefined =>
  chain.find((step) => step.role === wanted);

/** The machine check that an instruction raises, explained. */
function explained(probe: Probe, act: () => void): CausalStep[] {
  try {
    act();
  } catch (exception) {
    if (exception instanceof MachineCheck) return explain(probe, exception);
    throw exception;
  }
  return [];
}

/** Does something inside an event of its own. */
function during<T>(lp: LogicalProcessor, name: string, act: () => T): T {
  const event = lp.beginEvent('memory', name);
  const result = act();
  lp.endEvent(event);
  return result;
}

describe('a skipped WBINVD', () => {
  const run = (wbinvd: 'on' | 'off'): Machine => {
    const machine = poweredOn({
      'kernel.wbinvdBeforeKeyConfig': wbinvd,
      'kernel.earlierUse': 'recent',
      'kernel.dirtyLines': 8192,
    });
    machine.bootLinux();
    return machine;
  };

  it('[SX-04] leads from the dirty line over the eviction to the shutdown; with the WBINVD there is nothing to explain', () => {
    expect(run('on').probe.seamShutdown()).toBeNull();
    const { probe } = run('off');
    const chain = explain(probe, probe.seamShutdown()!);
    expect(chain.length).toBeGreaterThanOrEqual(4);
    expect(roles(chain)).toEqual(['write', 'displaced-write', 'displacement', 'check', 'poison', 'machine-check', 'consequence']);
    expect(role(chain, 'write')).toMatchObject({ keyId: 0, tdBit: false });
    expect(role(chain, 'displaced-write')).toMatchObject({ keyId: 16, tdBit: true });
    expect(nameOf(probe, role(chain, 'displaced-write'))).toBe('TDH.SYS.TDMR.INIT');
    expect(role(chain, 'displacement')!.text).toMatch(/^eviction during/);
    expect(role(chain, 'check')!.text).toMatch(/TD-bit check fired; the MAC was not looked at/);
    expect(nameOf(probe, role(chain, 'consequence'))).toBe('#MC in SEAM root');
    expect(chain.every(({ pa, event }) => pa === chain[0]!.pa && event > 0)).toBe(true);
    expect(chain.map(({ t }) => t)).toEqual(chain.map(({ t }) => t).sort((a, b) => a - b));
    expect(renderChain(chain)).toHaveLength(chain.length);
  });
});

describe('a partial write to what is still private', () => {
  const workload = (model: 'SPR' | 'GNR'): { machine: Machine; chain: CausalStep[] } => {
    const machine = booted({ 'cpu.model': model });
    const line = tdmrsOf(machine)[1]!.pamt[0].base;
    for (const lp of machine.platform.lps) lp.wbinvd();
    const lp = machine.platform.lps[0]!;
    during(lp, 'MOVNTI by a driver', () => lp.directStore('nt-store', line, 4));
    const event = lp.beginEvent('memory', 'a later read');
    const chain = explained(machine.probe, () => lp.load64(line));
    lp.endEvent(event);
    return { machine, chain };
  };

  it('names the silent poisoning and the read that met it, and is no failure without the erratum', () => {
    expect(workload('GNR').chain).toEqual([]);
    const { machine, chain } = workload('SPR');
    expect(roles(chain).filter((name) => name !== 'displaced-write')).toEqual(['write', 'check', 'poison', 'machine-check']);
    expect(nameOf(machine.probe, role(chain, 'write'))).toBe('TDH.SYS.TDMR.INIT');
    expect(nameOf(machine.probe, role(chain, 'check'))).toBe('MOVNTI by a driver');
    expect(role(chain, 'check')!.text).toMatch(/partial write/);
    expect(role(chain, 'poison')!.text).toMatch(/nothing was reported/);
    expect(nameOf(machine.probe, role(chain, 'machine-check'))).toBe('a later read');
  });

  it('tells of the panic when the kernel meets it', () => {
    const machine = booted({ 'cpu.model': 'SPR' });
    for (const lp of machine.platform.lps) lp.wbinvd();
    const line = tdmrsOf(machine)[1]!.pamt[0].base;
    let caught: MachineCheck | null = null;
    expect(() =>
      on(machine, 0, function* (cpu) {
        cpu.lp.directStore('nt-store', line, 4);
        try {
          cpu.lp.load64(line);
        } catch (exception) {
          caught = exception as MachineCheck;
          throw exception;
        }
      }),
    ).toThrow();
    const chain = explain(machine.probe, caught!);
    expect(chain.at(-1)!.role).toBe('consequence');
    expect(chain.at(-1)!.text).toMatch(/panic/);
  });
});

describe('attackers', () => {
  /** A private line that software in SEAM wrote, flushed to DRAM. */
  const world = () => {
    const platform = new Platform({ memoryMap: smallMap });
    const lp = platform.lps[0]!;
    const keyId = platform.firstPrivateKeyId;
    lp.mode = 'seam';
    lp.pconfig(keyId, 'random');
    during(lp, 'SEAM writes', () => lp.movdir64bFill(PAGE, 64, keyId, 7n));
    return { probe: new Probe(platform), attacker: new Attacker(platform), lp, keyId };
  };

  it.each([
    { what: 'data', check: /MAC check fired; the TD bit was right/ },
    { what: 'mac', check: /MAC check fired/ },
    { what: 'td-bit', check: /TD-bit check fired/ },
  ] as const)('a flipped $what bit is named, and the check that found it', ({ what, check }) => {
    const { probe, attacker, lp, keyId } = world();
    expect(explained(probe, () => lp.load64(PAGE, keyId))).toEqual([]);
    lp.clflush(PAGE, 64, keyId);
    attacker.flip(PAGE, what);
    const chain = during(lp, 'SEAM reads', () => explained(probe, () => lp.load64(PAGE, keyId)));
    expect(roles(chain)).toEqual(['write', 'tampering', 'check', 'poison', 'machine-check']);
    expect(role(chain, 'tampering')!.text).toContain(`flip ${what}`);
    expect(role(chain, 'check')!.text).toMatch(check);
    expect(nameOf(probe, role(chain, 'write'))).toBe('SEAM writes');
    expect(nameOf(probe, role(chain, 'machine-check'))).toBe('SEAM reads');
  });

  it('a flipped poison bit has no check, and the attacker is named', () => {
    const { probe, attacker, lp, keyId } = world();
    attacker.flip(PAGE, 'poison');
    const chain = explained(probe, () => lp.load64(PAGE, keyId));
    expect(roles(chain)).toEqual(['write', 'tampering', 'machine-check']);
  });

  it('a line of another TD read with the wrong KeyID fails the MAC, and nobody tampered', () => {
    const { probe, lp, keyId } = world();
    lp.pconfig(keyId + 1, 'random');
    const chain = explained(probe, () => lp.load64(PAGE, keyId + 1));
    expect(roles(chain)).toEqual(['write', 'check', 'poison', 'machine-check']);
    expect(role(chain, 'write')).toMatchObject({ keyId });
    expect(role(chain, 'machine-check')).toMatchObject({ keyId: keyId + 1 });
  });
});
