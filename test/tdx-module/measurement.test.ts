import { createHash, createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { REPORTMACSTRUCT, TDCS, TDINFO_STRUCT, TDREPORT_STRUCT, TEE_TCB_INFO } from '../../src/spec/layouts.ts';
import { TDX_INVALID_REPORTMACSTRUCT, TDX_NO_VCPUS, TDX_SUCCESS } from '../../src/spec/status.ts';
import { type CallResult, ModuleHost, PAGE, readyTd, TestTd } from './harness.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const pattern = (seed: number): Uint8Array => Uint8Array.from({ length: PAGE }, (_, i) => (i * 7 + seed) & 0xff);

/** The formula of lifecycle.md §9, written again. */
class Mrtd {
  readonly #hash = createHash('sha384');
  #block(name: string, gpa: number): void {
    const block = Buffer.alloc(128);
    block.write(name, 'ascii');
    block.writeBigUInt64LE(BigInt(gpa), 16);
    this.#hash.update(block);
  }
  add(gpa: number): this {
    this.#block('MEM.PAGE.ADD', gpa);
    return this;
  }
  extend(gpa: number, page: Uint8Array): this {
    for (let at = 0; at < PAGE; at += 256) {
      this.#block('MR.EXTEND', gpa + at);
      this.#hash.update(new Uint8Array(page.subarray(at, at + 256)));
    }
    return this;
  }
  digest(): string {
    return this.#hash.digest('hex');
  }
}

function measured(pages: readonly (readonly [number, Uint8Array, boolean])[]): string {
  const td = new TestTd(new ModuleHost());
  for (const [gpa, bytes, extends_] of pages) {
    td.add(gpa, bytes);
    if (extends_) td.extend(gpa);
  }
  td.vcpu();
  td.finalize();
  return hex(td.tdcs(TDCS.MRTD));
}

describe('MRTD', () => {
  const a = pattern(1);
  const b = pattern(2);

  it('[SX-22] is SHA-384 over the blocks of PAGE.ADD and MR.EXTEND', () => {
    const expected = new Mrtd().add(0).extend(0, a).add(0x3000).add(0x1000).extend(0x1000, b).digest();
    expect(
      measured([
        [0, a, true],
        [0x3000, b, false],
        [0x1000, b, true],
      ]),
    ).toBe(expected);
  });

  it('does not look at content that was not extended, and does at content that was', () => {
    const one = measured([[0, a, false]]);
    expect(measured([[0, b, false]])).toBe(one);
    expect(measured([[0, a, true]])).not.toBe(measured([[0, b, true]]));
  });

  it('depends on the order of the leaves', () => {
    expect(
      measured([
        [0, a, false],
        [0x1000, b, false],
      ]),
    ).not.toBe(
      measured([
        [0x1000, b, false],
        [0, a, false],
      ]),
    );
  });

  it('cannot be finalised without a VCPU', () => {
    const td = new TestTd(new ModuleHost());
    expect(td.host.call('MR_FINALIZE', { rcx: td.tdr }).status).toBe(TDX_NO_VCPUS);
  });
});

describe('TDREPORT', () => {
  const DATA = 0x1000;
  const REPORT = 0x2000;
  const EVENT = 0x3000;

  function reportingTd(seed: bigint, tamper: (report: Uint8Array) => void = () => {}) {
    const host = new ModuleHost({ seed });
    const answers: CallResult[] = [];
    let report = new Uint8Array();
    const td = readyTd(
      host,
      function* (guest) {
        yield* guest.cpu.storeBytes(
          BigInt(DATA),
          Uint8Array.from({ length: 64 }, (_, i) => i),
        );
        yield* guest.cpu.storeBytes(BigInt(EVENT), new Uint8Array(48).fill(0xab));
        answers.push(yield* guest.tdcall('MR_RTMR_EXTEND', { rcx: EVENT, rdx: 2 }));
        answers.push(yield* guest.tdcall('MR_REPORT', { rcx: REPORT, rdx: DATA }));
        report = (yield* guest.cpu.loadBytes(BigInt(REPORT), 1024)) as Uint8Array<ArrayBuffer>;
        const copy = report.slice(0, 256);
        tamper(copy);
        yield* guest.cpu.storeBytes(BigInt(DATA), copy);
        answers.push(yield* guest.tdcall('MR_VERIFYREPORT', { rcx: DATA }));
        yield* guest.tdcall('VP_VMCALL', { rcx: 0 });
      },
      { mrConfigId: new Uint8Array(48).fill(0xc1) },
      (built) => {
        for (const gpa of [0, DATA, REPORT, EVENT]) built.add(gpa);
      },
    );
    td.enter();
    return {
      td,
      answers,
      report,
      tdInfo: TDREPORT_STRUCT.TDINFO_STRUCT.get(report),
      mac: TDREPORT_STRUCT.REPORTMACSTRUCT.get(report),
    };
  }

  it('holds the TD measurements, the report data and hashes of its parts', () => {
    const { td, answers, report, tdInfo, mac } = reportingTd(1n);
    expect(answers.map(({ status }) => status)).toEqual([TDX_SUCCESS, TDX_SUCCESS, TDX_SUCCESS]);
    expect(REPORTMACSTRUCT.TYPE.get(mac)).toBe(0x81);
    expect(hex(REPORTMACSTRUCT.REPORTDATA.get(mac))).toBe(hex(Uint8Array.from({ length: 64 }, (_, i) => i)));
    expect(hex(TDINFO_STRUCT.MRTD.get(tdInfo))).toBe(hex(td.tdcs(TDCS.MRTD)));
    expect(hex(TDINFO_STRUCT.MRCONFIGID.get(tdInfo))).toBe('c1'.repeat(48));
    const rtmr2 = createHash('sha384').update(Buffer.alloc(48)).update(Buffer.alloc(48, 0xab)).digest('hex');
    expect(hex(TDINFO_STRUCT.RTMR.get(tdInfo, 2))).toBe(rtmr2);
    expect(hex(TDINFO_STRUCT.RTMR.get(tdInfo, 1))).toBe('00'.repeat(48));
    expect(hex(REPORTMACSTRUCT.TEE_INFO_HASH.get(mac))).toBe(createHash('sha384').update(tdInfo).digest('hex'));
    const tcb = report.subarray(256, 256 + TEE_TCB_INFO.SIZE);
    expect(hex(REPORTMACSTRUCT.TEE_TCB_INFO_HASH.get(mac))).toBe(createHash('sha384').update(tcb).digest('hex'));
  });

  it('is signed with HMAC-SHA-256 by a key of the platform', () => {
    const { td, mac } = reportingTd(1n);
    const key = td.host.platform.random('report').bytes(new Uint8Array(32));
    expect(hex(REPORTMACSTRUCT.MAC.get(mac))).toBe(createHmac('sha256', key).update(mac.subarray(0, 224)).digest('hex'));
  });

  it('is refused after one bit was changed', () => {
    const { answers } = reportingTd(1n, (copy) => {
      copy[REPORTMACSTRUCT.TEE_INFO_HASH.offset]! ^= 1;
    });
    expect(answers.at(-1)!.status).toBe(TDX_INVALID_REPORTMACSTRUCT);
  });

  it('verifies on its own platform and on no other', () => {
    const { td, mac } = reportingTd(1n);
    const other = new ModuleHost({ seed: 2n });
    expect(td.host.platform.report.verify(mac)).toBe('ok');
    expect(other.platform.report.verify(mac)).not.toBe('ok');
  });

  it('checks operands in order: RCX alignment, RDX alignment, subtype', () => {
    const host = new ModuleHost();
    const names: string[] = [];
    const td = readyTd(
      host,
      function* (guest) {
        for (const registers of [
          { rcx: 1, rdx: 1, r8: 1 },
          { rcx: 0, rdx: 1, r8: 1 },
          { rcx: 0, rdx: 0, r8: 1 },
        ]) {
          names.push((yield* guest.tdcall('MR_REPORT', registers)).name);
        }
        yield* guest.tdcall('VP_VMCALL', { rcx: 0 });
      },
      {},
      (built) => built.add(0),
    );
    td.enter();
    expect(names).toEqual(['TDX_OPERAND_INVALID | RCX', 'TDX_OPERAND_INVALID | RDX', 'TDX_OPERAND_INVALID | R8']);
  });
});
