import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  configureBios,
  type FirmwareReport,
  mcheck,
  powerOn,
  SEAMLDR_INFO,
  SEAMLDR_PARAMS,
  SEAMLDR_STATUS,
} from '../../src/firmware/index.ts';
import { GPR, type MemoryMap, Platform, type SeamSoftware, smallMap } from '../../src/platform/index.ts';
import type { KnobValue } from '../../src/spec/knob.ts';
import { TEE_TCB_INFO } from '../../src/spec/layouts.ts';
import { SEAMLDR } from '../../src/spec/leaves.ts';

const GIB = 2 ** 30;
const PAGE = 4096;
const IMAGE = Uint8Array.from({ length: 2 * PAGE + 5 }, (_, i) => i & 0xff);
const module: SeamSoftware = {
  *call(lp) {
    lp.gpr[GPR.RAX] = 0x77n;
  },
};

const boot = (knobs: Readonly<Record<string, KnobValue>> = {}, memoryMap: MemoryMap = smallMap) => {
  const platform = new Platform({ knobs, memoryMap, packages: 2, lpsPerPackage: 2 });
  const task = platform.scheduler.spawn(
    platform.lps[0]!,
    'firmware',
    powerOn(platform, { createModule: () => module, moduleImage: IMAGE }),
  );
  expect(platform.scheduler.run([task])).toBe(true);
  return { platform, report: task.outcome as FirmwareReport };
};

describe('power on', () => {
  it('leaves SEAMRR locked, the CMRs checked, the module installed, and every LP outside VMX operation', () => {
    const { platform, report } = boot();
    expect(report).toMatchObject({ tdxEnabled: true, moduleLoaded: true, reason: '', cmrs: smallMap.cmrs });
    expect(platform.seam.range).toEqual(smallMap.seamrr);
    expect(platform.seam.module).toBe(module);
    expect(platform.lps.some((lp) => lp.vmxOn)).toBe(false);
    expect(platform.seam.calls.get('SEAMLDR.INSTALL')).toBe(platform.lps.length);
  });

  it('installs nothing before the last LP has asked', () => {
    const platform = new Platform({ memoryMap: smallMap, packages: 2, lpsPerPackage: 2 });
    const created: number[] = [];
    const createModule = () => {
      created.push(platform.seam.calls.get('SEAMLDR.INSTALL')!);
      return module;
    };
    const task = platform.scheduler.spawn(platform.lps[0]!, 'firmware', powerOn(platform, { createModule }));
    platform.scheduler.run([task]);
    expect(created).toEqual([4]);
  });

  it('measures the image: MRSEAM is its SHA-384, in SEAMLDR.INFO and in reports', () => {
    const { platform } = boot();
    const padded = new Uint8Array(3 * PAGE);
    padded.set(IMAGE);
    const expected = createHash('sha384').update(padded).digest('hex');
    const [lp] = platform.lps;
    lp!.vmxon();
    const call = (rcx: number) => {
      lp!.gpr[GPR.RAX] = SEAMLDR.INFO;
      lp!.gpr[GPR.RCX] = BigInt(rcx);
      platform.scheduler.run([platform.scheduler.spawn(lp!, 'info', lp!.seamcall())]);
      return lp!.gpr[GPR.RAX];
    };
    expect(call(0x10_0001)).toBe(SEAMLDR_STATUS.EBADPARAM);
    expect(call(0x10_0000)).toBe(SEAMLDR_STATUS.SUCCESS);
    const info = lp!.loadBytes(0x10_0000, SEAMLDR_INFO.SIZE);
    expect(Buffer.from(SEAMLDR_INFO.MRSEAM.get(info)).toString('hex')).toBe(expected);
    expect(Buffer.from(TEE_TCB_INFO.MRSEAM.get(platform.report.teeTcbInfo())).toString('hex')).toBe(expected);
  });

  it('without SEAMRR, or with TDX off, there is no SEAM at all, and the log says why', () => {
    for (const [knob, reason] of [
      ['bios.seamrr', 'BIOS: SEAMRR is not configured'],
      ['bios.tdx', 'BIOS: TDX is disabled'],
    ] as const) {
      const { platform, report } = boot({ [knob]: 'off' });
      expect(report).toMatchObject({ tdxEnabled: false, moduleLoaded: false, reason, seamrr: null });
      expect(report.log).toContain(reason);
      expect(platform.seam.range).toBeNull();
    }
  });

  it('refuses an image whose pages are not pages outside SEAMRR, on every LP and without a trace', () => {
    const { platform } = boot({ 'bios.seamModule': 'absent' });
    const install = (page: bigint, pages = 1n) => {
      const params = new Uint8Array(SEAMLDR_PARAMS.SIZE);
      SEAMLDR_PARAMS.NUM_MODULE_PAGES.set(params, pages);
      SEAMLDR_PARAMS.MODULE_PAGES.set(params, page);
      return platform.lps.map((lp) => {
        lp.storeBytes(0x10_0000, params);
        lp.vmxOn = true;
        lp.gpr[GPR.RAX] = SEAMLDR.INSTALL;
        lp.gpr[GPR.RCX] = 0x10_0000n;
        platform.scheduler.run([platform.scheduler.spawn(lp, 'install', lp.seamcall())]);
        return lp.gpr[GPR.RAX];
      });
    };
    const refused = platform.lps.map(() => SEAMLDR_STATUS.EBADPARAM);
    const bad = [0x11_0001n, 1n << 46n, 1n << 60n, BigInt(smallMap.seamrr.base)];
    for (const page of bad) expect(install(page)).toEqual(refused);
    for (const pages of [0n, 497n, 1n << 60n]) expect(install(0x11_0000n, pages)).toEqual(refused);
    expect(platform.seam.module).toBeNull();
    expect(install(0x11_0000n)).toEqual(platform.lps.map(() => SEAMLDR_STATUS.SUCCESS));
    expect(platform.seam.module).toBe(module);
  });

  it('P-SEAMLDR without an installed module answers, the module does not', () => {
    const { platform, report } = boot({ 'bios.seamModule': 'absent' });
    expect(report).toMatchObject({ tdxEnabled: true, moduleLoaded: false });
    expect(platform.seam.seamldr).not.toBeNull();
    expect(platform.seam.module).toBeNull();
  });
});

describe('MCHECK', () => {
  it('[S1-15] a CMR that is not physically present stops TDX, with the reason in the log; the same list with memory does not', () => {
    const { platform, report } = boot({ 'bios.cmr': 'absent-memory' });
    expect(report.tdxEnabled).toBe(false);
    expect(report.reason).toMatch(/^MCHECK: CMR 2 \[0x180000000, 0x1c0000000\) is not physically present$/);
    expect(report.log).toContain(report.reason);
    expect(platform.seam.range).toBeNull();
    const wired: MemoryMap = { ...smallMap, dram: [...smallMap.dram, { base: 6 * GIB, size: GIB, node: 1 }] };
    const withMemory: MemoryMap = { ...wired, cmrs: [...smallMap.cmrs, { base: 6 * GIB, size: GIB }] };
    expect(boot({}, withMemory).report.tdxEnabled).toBe(true);
  });

  const rejects = (change: Partial<MemoryMap>): string => {
    const platform = new Platform({ memoryMap: { ...smallMap, ...change }, packages: 2, lpsPerPackage: 2 });
    const result = mcheck(platform, configureBios(platform));
    return result.ok ? 'ok' : result.reason;
  };

  it('checks SEAMRR, count, alignment, order and overlap of the CMRs, earlier rules first', () => {
    const MIB = 2 ** 20;
    const high = { base: 4 * GIB, size: GIB };
    const low = { base: MIB, size: GIB };
    expect(rejects({})).toBe('ok');
    expect(rejects({ seamrr: { base: 1921 * MIB, size: 32 * MIB }, cmrs: [] })).toMatch('not aligned to 32 MiB');
    expect(rejects({ seamrr: { base: 2048 * MIB, size: 32 * MIB } })).toMatch('not in DRAM');
    expect(rejects({ cmrs: [] })).toMatch('0 CMRs');
    expect(rejects({ cmrs: [{ base: 100, size: PAGE }, high] })).toMatch('CMR 0 [0x64, 0x1064) is not a range of whole pages');
    expect(rejects({ cmrs: [high, low] })).toMatch('CMR 1');
    expect(rejects({ cmrs: [low, { base: 1900 * MIB, size: 64 * MIB }] })).toMatch('overlaps SEAMRR');
    expect(
      rejects({
        cmrs: [
          { base: 3 * GIB, size: GIB },
          { base: 3 * GIB, size: 1 },
        ],
      }),
    ).toMatch('CMR 1');
  });

  it('[S1-16] the CMRs that the module reports are those of power-on', () => {
    const { platform, report } = boot();
    const before = JSON.stringify(report.cmrs);
    platform.lps[0]!.store64(5 * GIB, 1n);
    platform.lps[0]!.wbinvd();
    expect(JSON.stringify(report.sysInfo!.cmrs)).toBe(before);
    expect(() => {
      (report.cmrs as unknown as { base: number }[])[0]!.base = 0;
    }).toThrow(TypeError);
  });
});
