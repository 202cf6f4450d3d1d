import { describe, expect, it } from 'vitest';
import { smallMap } from '../../src/platform/index.ts';
import { cpuidConfig } from '../../src/spec/cpuid.ts';
import { CMR_INFO, CPUID_CONFIG, TDSYSINFO_STRUCT } from '../../src/spec/layouts.ts';
import { MD_SYS, metadataFields } from '../../src/spec/metadata.ts';
import * as S from '../../src/spec/status.ts';
import { OPERAND } from '../../src/spec/status.ts';
import { BareHost, PAGE } from './bare-host.ts';

const ALL_ONES = (1n << 64n) - 1n;
const invalid = (operand: bigint): bigint => S.TDX_OPERAND_INVALID | operand;

describe('TDH.SYS.INFO', () => {
  it('checks LP, buffers and sizes in this order, and fills both structures', () => {
    const host = new BareHost();
    const [info, cmrs] = [host.buffer(new Uint8Array(PAGE).fill(0xee)), host.buffer(new Uint8Array(PAGE).fill(0xee))];
    host.ok('SYS_INIT');
    const call = (rcx: number | bigint, rdx: number, r8: number, r9: number) => host.call('SYS_INFO', { rcx, rdx, r8, r9 });
    expect(call(info + 1, 1023, cmrs + 1, 31).status).toBe(S.TDX_SYS_LP_INIT_NOT_DONE);
    host.ok('SYS_LP_INIT');
    expect(call(info + 512, 1023, cmrs + 1, 31).status).toBe(invalid(OPERAND.RCX));
    expect(call((16n << 46n) | BigInt(info), 1023, cmrs + 1, 31).status).toBe(invalid(OPERAND.RCX));
    expect(call(info, 1023, cmrs + 1, 31).status).toBe(invalid(OPERAND.RDX));
    expect(host.lps[0]!.load8(info)).toBe(0xee);
    expect(call(info, 1024, cmrs + 1, 31).status).toBe(invalid(OPERAND.R8));
    expect(host.lps[0]!.load8(info), 'zeroed before R8 is looked at').toBe(0);
    expect(call(info, 1024, cmrs, 31).status).toBe(invalid(OPERAND.R9));
    const good = call(info, 2000, cmrs, 40);
    expect([good.status, good.rdx, good.r9]).toEqual([S.TDX_SUCCESS, 1024n, 32n]);
    const bytes = host.lps[0]!.loadBytes(info, 1024);
    const T = TDSYSINFO_STRUCT;
    expect(
      [T.SYS_RD, T.MAX_TDMRS, T.MAX_RESERVED_PER_TDMR, T.PAMT_ENTRY_SIZE, T.TDCS_BASE_SIZE, T.TDVPS_BASE_SIZE].map((f) =>
        f.get(bytes),
      ),
    ).toEqual([1, 64, 16, 16, 24576, 24576]);
    expect(T.NUM_CPUID_CONFIG.get(bytes)).toBe(12);
    expect(CPUID_CONFIG.LEAF.get(bytes, T.CPUID_CONFIGS.at(1))).toBe(4);
    const array = host.lps[0]!.loadBytes(cmrs, 32 * CMR_INFO.SIZE);
    smallMap.cmrs.forEach(({ base, size }, i) => {
      expect([CMR_INFO.BASE.get(array, 16 * i), CMR_INFO.SIZE_IN_BYTES.get(array, 16 * i)]).toEqual([BigInt(base), BigInt(size)]);
    });
    expect(array.subarray(16 * smallMap.cmrs.length).every((byte) => byte === 0)).toBe(true);
  });
});

describe('TDH.SYS.RD', () => {
  const rd = (host: BareHost, rdx: bigint) => host.call('SYS_RD', { rdx });

  it('checks LP, id form and id in this order; RDX and R8 say "nothing" on errors', () => {
    const host = new BareHost();
    expect(rd(host, 0x00ff_0000n).status).toBe(S.TDX_SYS_LP_INIT_NOT_DONE);
    host.initLps();
    for (const bad of [MD_SYS.MAX_TDMRS | (1n << 24n), MD_SYS.MAX_TDMRS | (1n << 34n), 0x00ff_0000n]) {
      const answer = rd(host, bad);
      expect([answer.status, answer.rdx, answer.r8]).toEqual([S.TDX_METADATA_FIELD_ID_INCORRECT, ALL_ONES, 0n]);
    }
    expect(rd(host, MD_SYS.MAX_TDMRS ^ (7n << 52n)).r8, 'context bits are ignored').toBe(64n);
  });

  it('walks every field once, from all ones to all ones', () => {
    const host = new BareHost().initLps();
    let answer = rd(host, ALL_ONES);
    expect(answer.status).toBe(S.TDX_METADATA_FIRST_FIELD_ID_IN_CONTEXT);
    const seen = new Set<bigint>();
    for (let id = answer.rdx; id !== ALL_ONES; id = answer.rdx) {
      expect(seen.has(id)).toBe(false);
      seen.add(id);
      answer = rd(host, id);
      expect(answer.status).toBe(S.TDX_SUCCESS);
    }
    expect(seen.size).toBe(metadataFields('SYS').reduce((sum, { fields, elements }) => sum + fields * elements, 0));
  });

  it('reports leaves and config_direct bits, all ones past the last leaf; only 1.5-kvm knows MAX_VCPUS_PER_TD', () => {
    const host = new BareHost().initLps();
    expect(rd(host, MD_SYS.CPUID_CONFIG_LEAVES + 1n).r8).toBe(4n);
    expect(rd(host, MD_SYS.CPUID_CONFIG_LEAVES).r8).toBe((0xffff_ffffn << 32n) | 1n);
    expect(rd(host, MD_SYS.CPUID_CONFIG_LEAVES + 12n).r8).toBe(ALL_ONES);
    const [leaf1] = cpuidConfig();
    expect(rd(host, MD_SYS.CPUID_CONFIG_VALUES).r8).toBe(
      BigInt(leaf1!.configDirect[0]) | (BigInt(leaf1!.configDirect[1]) << 32n),
    );
    expect(rd(host, MD_SYS.MAX_VCPUS_PER_TD).r8).toBeGreaterThan(0n);
    const old = new BareHost({ 'module.profile': '1.5.01' }).initLps();
    expect(rd(old, MD_SYS.MAX_VCPUS_PER_TD).status).toBe(S.TDX_METADATA_FIELD_ID_INCORRECT);
    const TOPOLOGY_ENUM = 1n << 20n;
    expect(rd(host, MD_SYS.TDX_FEATURES0).r8 & TOPOLOGY_ENUM).toBe(TOPOLOGY_ENUM);
    expect(rd(old, MD_SYS.TDX_FEATURES0).r8 & TOPOLOGY_ENUM).toBe(0n);
  });
});
