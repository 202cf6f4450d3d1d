import { describe, expect, it } from 'vitest';
import { EXIT_REASON } from '../../src/spec/exits.ts';
import { ATTRIBUTES, TDCS, TDR } from '../../src/spec/layouts.ts';
import { SEPT, SEPT_STATE, septState } from '../../src/spec/sept.ts';
import { EXTENDED_EXIT_QUALIFICATION } from '../../src/spec/states.ts';
import {
  OPERAND,
  TDX_EPT_ENTRY_STATE_INCORRECT,
  TDX_EPT_PAGE_NOT_FREE,
  TDX_EPT_WALK_FAILED,
  TDX_GPA_RANGE_ALREADY_BLOCKED,
  TDX_GPA_RANGE_NOT_BLOCKED,
  TDX_OPERAND_BUSY,
  TDX_OPERAND_INVALID,
  TDX_PAGE_ALREADY_ACCEPTED,
  TDX_PAGE_METADATA_INCORRECT,
  TDX_PAGE_SIZE_MISMATCH,
  TDX_PREVIOUS_TLB_EPOCH_BUSY,
  TDX_SUCCESS,
  TDX_TLB_TRACKING_NOT_DONE,
} from '../../src/spec/status.ts';
import { type CallResult, type Guest, ModuleHost, PAGE, type Program, readyTd, TestTd } from './harness.ts';

const RCX = OPERAND.RCX;
const MIB2 = 2 ** 21;
/** A guest that stops at every turn. */
const stops: Program = function* (guest) {
  for (;;) yield* guest.tdcall('VP_VMCALL', { rcx: 0 });
};

describe('TLB tracking', () => {
  it('[S2-77] REMOVE wants BLOCK, then TRACK; with both it works', () => {
    const td = readyTd(new ModuleHost(), stops, {}, (built) => built.add(0));
    expect(td.leaf('MEM_PAGE_REMOVE', 0).status).toBe(TDX_GPA_RANGE_NOT_BLOCKED | RCX);
    expect(td.leaf('MEM_RANGE_BLOCK', 0).status).toBe(TDX_SUCCESS);
    expect(td.leaf('MEM_RANGE_BLOCK', 0).status).toBe(TDX_GPA_RANGE_ALREADY_BLOCKED | RCX);
    expect(td.leaf('MEM_PAGE_REMOVE', 0).status).toBe(TDX_TLB_TRACKING_NOT_DONE | RCX);
    expect(td.host.call('MEM_TRACK', { rcx: td.tdr }).status).toBe(TDX_SUCCESS);
    const removed = td.leaf('MEM_PAGE_REMOVE', 0);
    expect([removed.status, removed.rcx]).toEqual([TDX_SUCCESS, BigInt(td.pages.get(0)!)]);
    expect(td.entry(0)).toBe(SEPT.FREE);
  });

  it.each([true, false])(
    '[S2-77] PAGE.WBINVD (%s) decides whether a stale private line can hit the next user of the page',
    (flushes) => {
      const host = new ModuleHost();
      const td = readyTd(
        host,
        function* (guest) {
          yield* guest.store64(0, 0x5ec_7e7n);
          yield* guest.tdcall('VP_VMCALL', { rcx: 0 });
        },
        {},
        (built) => built.add(0),
      );
      td.enter();
      const page = td.pages.get(0)!;
      td.leaf('MEM_RANGE_BLOCK', 0);
      host.ok('MEM_TRACK', { rcx: td.tdr });
      expect(td.leaf('MEM_PAGE_REMOVE', 0).status).toBe(TDX_SUCCESS);
      const { shift } = host.module.keyIds;
      if (flushes) host.ok('PHYMEM_PAGE_WBINVD', { rcx: BigInt(page) | (BigInt(td.hkid) << BigInt(shift)) });
      host.lp.movdir64bFill(page, PAGE, 0, 0x7777n);
      expect(host.platform.core.evict(0, page, td.hkid)).toBe(!flushes);
      expect(host.lp.load64(page)).toBe(flushes ? 0x7777n : 0n);
    },
  );

  it('is not asked for before the TD is RUNNABLE', () => {
    const td = new TestTd(new ModuleHost());
    td.add(0);
    expect(td.leaf('MEM_PAGE_REMOVE', 0).status).toBe(TDX_SUCCESS);
  });

  it('[S2-78] a second TRACK fails while a VCPU of the epoch before is inside, and works once it was kicked out', () => {
    const host = new ModuleHost();
    const td = readyTd(
      host,
      function* (guest) {
        for (;;) yield* guest.cpu.pause();
      },
      {},
      (built) => built.add(0),
    );
    const [, second] = host.platform.lps;
    const run = host.start('VP_ENTER', { rcx: td.vcpus[0]! });
    second!.joinTime(1_000_000);
    expect(td.leaf('MEM_RANGE_BLOCK', 0, {}, second).status).toBe(TDX_SUCCESS);
    expect(host.call('MEM_TRACK', { rcx: td.tdr }, second).status).toBe(TDX_SUCCESS);
    expect(td.leaf('MEM_PAGE_REMOVE', 0, {}, second).status).toBe(TDX_TLB_TRACKING_NOT_DONE | RCX);
    expect(host.call('MEM_TRACK', { rcx: td.tdr }, second).status).toBe(TDX_PREVIOUS_TLB_EPOCH_BUSY);
    host.platform.interrupt(second!, host.lp, function* () {});
    host.finish(run);
    expect(td.leaf('MEM_PAGE_REMOVE', 0, {}, second).status).toBe(TDX_SUCCESS);
    expect(host.call('MEM_TRACK', { rcx: td.tdr }, second).status).toBe(TDX_SUCCESS);
  });

  it('a TLB holds a translation until its VCPU enters in a new epoch', () => {
    const host = new ModuleHost();
    const values: bigint[] = [];
    const td = readyTd(
      host,
      function* (guest) {
        for (;;) {
          values.push(yield* guest.load64(0));
          yield* guest.tdcall('VP_VMCALL', { rcx: 0 });
        }
      },
      {},
      (built) => built.add(0, new Uint8Array(PAGE).fill(1)),
    );
    td.enter();
    td.leaf('MEM_RANGE_BLOCK', 0);
    expect(td.enter().status).toBe(BigInt(EXIT_REASON.TDCALL));
    host.ok('MEM_TRACK', { rcx: td.tdr });
    expect(td.enter().status).toBe(BigInt(EXIT_REASON.EPT_VIOLATION));
    expect(values).toEqual([0x0101_0101_0101_0101n, 0x0101_0101_0101_0101n]);
  });

  it('UNBLOCK wants tracking too, and names the tree', () => {
    const td = readyTd(new ModuleHost(), stops, {}, (built) => built.add(0));
    td.leaf('MEM_RANGE_BLOCK', 0);
    expect(td.leaf('MEM_RANGE_UNBLOCK', 0).status).toBe(TDX_TLB_TRACKING_NOT_DONE | OPERAND.SEPT_TREE);
    td.host.ok('MEM_TRACK', { rcx: td.tdr });
    expect(td.leaf('MEM_RANGE_UNBLOCK', 0).status).toBe(TDX_SUCCESS);
    expect(septState(td.entry(0))).toBe(SEPT_STATE.MAPPED);
  });
});

describe('TDG.MEM.PAGE.ACCEPT', () => {
  function accepting(level: number, setUp: (td: TestTd) => void, wants = level) {
    const answers: CallResult[] = [];
    const td = readyTd(
      new ModuleHost({ memory: 32 }),
      function* (guest: Guest) {
        for (;;) {
          answers.push(yield* guest.tdcall('MEM_PAGE_ACCEPT', { rcx: MIB2 + wants }));
          yield* guest.tdcall('VP_VMCALL', { rcx: 0 });
        }
      },
      { regions: [0] },
      (built) => {
        if (level === 0) built.sept(MIB2, 1);
        setUp(built);
      },
    );
    return { td, answers };
  }

  it('clears and maps a 4 KiB page, once', () => {
    const { td, answers } = accepting(0, (built) => built.aug(MIB2));
    expect(septState(td.entry(MIB2))).toBe(SEPT_STATE.PENDING);
    td.enter();
    td.enter();
    expect(answers.map(({ status }) => status)).toEqual([TDX_SUCCESS, TDX_PAGE_ALREADY_ACCEPTED]);
    expect(septState(td.entry(MIB2))).toBe(SEPT_STATE.MAPPED);
    expect(td.host.peek(td.pages.get(MIB2)!, PAGE, td.hkid).every((byte) => byte === 0)).toBe(true);
  });

  it('takes a 2 MiB page whole', () => {
    const { td, answers } = accepting(1, (built) => built.aug(MIB2, 1));
    expect(td.tdrField(TDR.CHLDCNT)).toBeGreaterThan(512n);
    td.enter();
    expect(answers[0]!.status).toBe(TDX_SUCCESS);
    expect(septState(td.entry(MIB2, 1))).toBe(SEPT_STATE.MAPPED);
    expect(td.host.peek(td.pages.get(MIB2)! + MIB2 - PAGE, PAGE, td.hkid).every((byte) => byte === 0)).toBe(true);
  });

  it('goes on where an interrupt stopped it', () => {
    const { td, answers } = accepting(1, (built) => built.aug(MIB2, 1));
    const { host } = td;
    const task = host.start('VP_ENTER', { rcx: td.vcpus[0]! });
    const [, second] = host.platform.lps;
    let stoppedAt = 0n;
    host.platform.scheduler.spawn(
      second!,
      'watch',
      (function* () {
        yield { what: 'the accept', ready: () => (td.entry(MIB2, 1) & SEPT.TDEL) !== 0n };
        host.platform.interrupt(second!, host.lp, function* () {});
      })(),
    );
    host.finish(task);
    expect(host.resultOf(host.lp).status).toBe(BigInt(EXIT_REASON.INTERRUPT));
    stoppedAt = (td.entry(MIB2, 1) & SEPT.ACCEPT_COUNTER_MASK) >> SEPT.ACCEPT_COUNTER_SHIFT;
    expect(stoppedAt).toBeGreaterThan(0n);
    expect(answers).toEqual([]);
    expect(td.enter().status).toBe(BigInt(EXIT_REASON.TDCALL));
    expect(answers[0]!.status).toBe(TDX_SUCCESS);
    expect(septState(td.entry(MIB2, 1))).toBe(SEPT_STATE.MAPPED);
  });

  it('answers PAGE_SIZE_MISMATCH where the host maps 4 KiB pages', () => {
    const { td, answers } = accepting(0, (built) => built.aug(MIB2), 1);
    td.enter();
    expect(answers[0]!.status).toBe(TDX_PAGE_SIZE_MISMATCH | 1n);
  });

  it('of a page that is not there tells the host what is wanted; after AUG it succeeds', () => {
    const { td, answers } = accepting(0, () => {});
    const exit = td.enter();
    expect([exit.status, exit.r8]).toEqual([BigInt(EXIT_REASON.EPT_VIOLATION), BigInt(MIB2)]);
    expect(exit.rdx & 0xfn).toBe(BigInt(EXTENDED_EXIT_QUALIFICATION.ACCEPT));
    td.aug(MIB2);
    td.enter();
    expect(answers.map(({ status }) => status)).toEqual([TDX_SUCCESS]);
  });
});

describe('access to a page that nobody accepted', () => {
  it.each([
    ['is #VE where the TD wants it', 0n],
    ['is a TD exit of type 6 with SEPT_VE_DISABLE', ATTRIBUTES.SEPT_VE_DISABLE],
  ])('%s', (_what, attributes) => {
    const seen: CallResult[] = [];
    const td = readyTd(
      new ModuleHost(),
      function* (guest) {
        guest.cpu.idt.set(20, function* (frame) {
          seen.push(yield* guest.tdcall('VP_VEINFO_GET'));
          frame.rip += 3n;
        });
        yield* guest.load64(0x5008);
        yield* guest.tdcall('VP_VMCALL', { rcx: 0 });
      },
      { attributes },
      (built) => built.aug(0x5000),
    );
    const exit = td.enter();
    if (attributes === 0n) {
      expect(seen.map(({ rcx, r9 }) => [rcx, r9])).toEqual([[BigInt(EXIT_REASON.EPT_VIOLATION), 0x5008n]]);
    } else {
      expect([exit.status, exit.rdx, exit.r8]).toEqual([BigInt(EXIT_REASON.EPT_VIOLATION), 6n, 0x5000n]);
    }
  });
});

describe('page leaves', () => {
  it('AUG of 2 MiB wants all of its 4 KiB pages free', () => {
    const host = new ModuleHost();
    const td = new TestTd(host);
    const large = host.page(MIB2);
    td.host.ok('MEM_PAGE_AUG', { rcx: 0x1000, rdx: td.tdr, r8: large + 5 * PAGE });
    expect(td.leaf('MEM_PAGE_AUG', MIB2 + 1, { r8: large }).status).toBe(TDX_PAGE_METADATA_INCORRECT | OPERAND.R8);
    td.leaf('MEM_PAGE_REMOVE', 0x1000);
    expect(td.leaf('MEM_PAGE_AUG', MIB2 + 1, { r8: large }).status).toBe(TDX_SUCCESS);
  });

  it('RELOCATE moves the content, and the old page is free', () => {
    const td = new TestTd(new ModuleHost());
    td.add(0, new Uint8Array(PAGE).fill(0x5a));
    const target = td.host.page();
    const old = td.leaf('MEM_PAGE_RELOCATE', 0, { r8: target });
    expect([old.status, old.rcx]).toEqual([TDX_SUCCESS, BigInt(td.pages.get(0)!)]);
    expect(td.host.peek(target, PAGE, td.hkid).every((byte) => byte === 0x5a)).toBe(true);
    expect(td.host.call('PHYMEM_PAGE_RDMD', { rcx: td.pages.get(0)! }).rcx).toBe(0n);
    expect(td.leaf('MEM_PAGE_RELOCATE', 0, { r8: target }).status).toBe(TDX_OPERAND_INVALID | OPERAND.R8);
  });

  it('DEMOTE and PROMOTE are each other undone', () => {
    const host = new ModuleHost();
    const td = new TestTd(host);
    const large = td.aug(MIB2, 1);
    const before = td.tdrField(TDR.CHLDCNT);
    const sept = host.page();
    expect(td.leaf('MEM_PAGE_DEMOTE', MIB2 + 1, { r8: sept }).status).toBe(TDX_SUCCESS);
    expect(td.tdrField(TDR.CHLDCNT)).toBe(before + 1n);
    expect(host.call('PHYMEM_PAGE_RDMD', { rcx: large + 7 * PAGE }).r8).toBe(0n);
    const promoted = td.leaf('MEM_PAGE_PROMOTE', MIB2 + 1);
    expect([promoted.status, promoted.rcx]).toEqual([TDX_SUCCESS, BigInt(sept)]);
    expect(td.tdrField(TDR.CHLDCNT)).toBe(before);
    expect(host.call('PHYMEM_PAGE_RDMD', { rcx: large }).r8).toBe(1n);
  });

  it('SEPT.REMOVE wants an empty page', () => {
    const td = new TestTd(new ModuleHost());
    td.add(0);
    expect(td.leaf('MEM_SEPT_REMOVE', 1).status).toBe(TDX_EPT_PAGE_NOT_FREE | RCX);
    td.leaf('MEM_PAGE_REMOVE', 0);
    expect(td.leaf('MEM_SEPT_REMOVE', 1)).toMatchObject({ status: TDX_SUCCESS, rcx: BigInt(td.septPages.get('1:0')!) });
  });

  it('returns the entry where a walk stops', () => {
    const td = new TestTd(new ModuleHost());
    expect(td.leaf('MEM_PAGE_AUG', 2 ** 30, { r8: td.host.page() })).toMatchObject({
      status: TDX_EPT_WALK_FAILED | RCX,
      rcx: 1n << 63n,
      rdx: 2n,
    });
  });
});

describe('the earlier of two violated checks answers', () => {
  const shared = 2 ** 47;
  it.each([
    ['TDR before level', 'MEM_PAGE_ADD', { rcx: 1, rdx: 1 }, TDX_OPERAND_INVALID | OPERAND.RDX],
    ['alignment before the shared bit', 'MEM_PAGE_AUG', { rcx: shared + 0x800 }, TDX_OPERAND_INVALID | RCX],
    ['GPA before the target page', 'MEM_PAGE_AUG', { rcx: shared, r8: 1 }, TDX_OPERAND_INVALID | RCX],
    ['entry state before the target page', 'MEM_PAGE_AUG', { rcx: 0, r8: 1 }, TDX_EPT_ENTRY_STATE_INCORRECT | RCX],
    ['source before target', 'MEM_PAGE_ADD', { rcx: 0x1000, r8: 1, r9: 1 }, TDX_OPERAND_INVALID | OPERAND.R9],
    ['flags before the TDR', 'MEM_SEPT_ADD', { rcx: 1, rdx: 0x802 }, TDX_OPERAND_INVALID | OPERAND.RDX],
    ['alignment before the page', 'MR_EXTEND', { rcx: 0x1001 }, TDX_OPERAND_INVALID | RCX],
  ] as const)('%s', (_what, leaf, registers, status) => {
    const td = new TestTd(new ModuleHost());
    td.add(0);
    expect(td.host.call(leaf, { rdx: td.tdr, ...registers }).status).toBe(status);
  });
});

describe('entry locks', () => {
  it('a host that finds an entry taken leaves its priority there; guests wait until the host had its turn', () => {
    const host = new ModuleHost();
    const answers: CallResult[] = [];
    const td = readyTd(
      host,
      function* (guest) {
        for (;;) {
          answers.push(yield* guest.tdcall('MEM_PAGE_ACCEPT', { rcx: 0 }));
          yield* guest.tdcall('VP_VMCALL', { rcx: 0 });
        }
      },
      {},
      (built) => built.aug(0),
    );
    const at = td.entryPa(0);
    const free = td.entry(0);
    host.poke64(at, td.hkid, free | SEPT.TDEL);
    expect(td.leaf('MEM_RANGE_BLOCK', 0).status).toBe(TDX_OPERAND_BUSY | RCX);
    expect(td.entry(0)).toBe(free | SEPT.TDEL | SEPT.TDHP);
    host.poke64(at, td.hkid, free | SEPT.TDHP);
    td.enter();
    expect(answers[0]!.status).toBe(TDX_OPERAND_BUSY | RCX);
    expect(td.leaf('MEM_SEPT_RD', 0).status).toBe(TDX_SUCCESS);
    td.enter();
    expect(answers[1]!.status).toBe(TDX_SUCCESS);
  });

  it('every lock is given back', () => {
    const td = new TestTd(new ModuleHost());
    td.add(0);
    td.leaf('MEM_PAGE_REMOVE', 0x9000);
    expect(td.entry(0) & (SEPT.TDEL | SEPT.TDHP)).toBe(0n);
    expect([td.tdcs(TDCS.SEPT_LOCK), td.tdcs(TDCS.OP_STATE_LOCK), td.tdcs(TDCS.EPOCH_LOCK)]).toEqual([0, 0, 0]);
  });
});
