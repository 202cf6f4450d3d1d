import { expect, it } from 'vitest';
import type { MemoryCore } from '../../bindings/memory-core.ts';
import { defaultFirmware } from '../../src/lab/firmware.ts';
import { Machine } from '../../src/lab/machine.ts';
import { runTd } from '../../src/lab/td-run.ts';
import { pamtRanges } from '../../src/linux/index.ts';
import { smallMap } from '../../src/platform/index.ts';

interface Access {
  readonly pa: number;
  readonly keyId: number;
}

/** Where each operation of the core that the module can reach has its address and its KeyID. */
const OPERANDS = {
  load: [1, 3],
  store: [1, 3],
  read: [1, 2],
  write: [1, 2],
  fill: [1, 3],
  exchange64: [1, 2],
  movdir64b: [1, 2],
  movdir64bFill: [1, 3],
  movdir64bCopy: [1, 2],
} as const satisfies Partial<Record<keyof MemoryCore, readonly [number, number]>>;

/** Records every access that an LP makes while it is in SEAM root mode. */
function recordSeamAccesses({ platform }: Machine): Access[] {
  const seen: Access[] = [];
  const core = platform.core as unknown as Record<string, (...operands: unknown[]) => unknown>;
  for (const [name, [pa, keyId]] of Object.entries(OPERANDS)) {
    const original = core[name]!.bind(platform.core);
    core[name] = (...operands) => {
      if (platform.lps.some(({ mode }) => mode === 'seam'))
        seen.push({ pa: operands[pa] as number, keyId: operands[keyId] as number });
      return original(...operands);
    };
  }
  return seen;
}

it('[S0-13] reaches a PAMT line through the global KeyID in every access, from its initialisation to the last reclaim', () => {
  const machine = new Machine({ seed: 1n, memoryMap: smallMap });
  machine.powerOn();
  const seen = recordSeamAccesses(machine);
  machine.bootLinux();
  const { tdx } = machine.kernel!;
  const pamts = pamtRanges(tdx.tdmrs);
  const options = {
    firmware: defaultFirmware(),
    secrets: new Uint8Array(64),
    onPhase() {},
    onMilestone() {},
    onPrivatePages() {},
  };
  expect(runTd(machine, options).td.text).toBe('');
  const inPamt = seen.filter(({ pa }) => pamts.some(({ base, size }) => pa >= base && pa < base + size));
  expect(inPamt.length).toBeGreaterThan(10_000);
  expect(new Set(inPamt.map(({ keyId }) => keyId))).toEqual(new Set([tdx.globalKeyId]));
  // The control: elsewhere the module uses other KeyIDs too, the TD's and the host's.
  const inside = new Set(inPamt);
  const elsewhere = new Set(seen.filter((access) => !inside.has(access)).map(({ keyId }) => keyId));
  expect(elsewhere.size).toBeGreaterThan(1);
});
