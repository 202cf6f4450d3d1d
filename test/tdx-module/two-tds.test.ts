import { describe, expect, it } from 'vitest';
import { EXIT_REASON } from '../../src/spec/exits.ts';
import { TDX_SUCCESS } from '../../src/spec/status.ts';
import type { Guest } from './harness.ts';
import { ModuleHost, PAGE, TestTd } from './harness.ts';

const TDCALL_EXIT = BigInt(EXIT_REASON.TDCALL);
const VIOLATION = BigInt(EXIT_REASON.EPT_VIOLATION);

/** A TD with one page at GPA 0 whose guest reads that page once every entry. */
function reader(host: ModuleHost, fill: number, seen: number[]): TestTd {
  const td = new TestTd(host);
  td.region(0);
  td.add(0, new Uint8Array(PAGE).fill(fill));
  td.vcpu(function* (guest: Guest) {
    for (;;) {
      seen.push((yield* guest.cpu.loadBytes(0n, 1))[0]!);
      yield* guest.tdcall('VP_VMCALL', { rcx: 0 });
    }
  });
  td.finalize();
  return td;
}

describe('two TDs on one LP', () => {
  it('each sees its own page behind the same GPA, however they alternate', () => {
    const host = new ModuleHost();
    const seen: number[] = [];
    const tds = [reader(host, 0xaa, seen), reader(host, 0xbb, seen)];
    // Without the INVEPT that VP.ENTER executes for another VCPU: translations still belong to their TD.
    host.platform.core.invept = () => {};
    for (const turn of [0, 1, 0, 0, 1, 1, 0]) expect(tds[turn]!.enter().status).toBe(TDCALL_EXIT);
    expect(seen).toEqual([0xaa, 0xbb, 0xaa, 0xaa, 0xbb, 0xbb, 0xaa]);
  });

  it.each([
    { flushes: false, status: TDCALL_EXIT },
    { flushes: true, status: VIOLATION },
  ])(
    'after a block without TRACK, a TD that comes back after another still has its translation unless VP.ENTER flushed it: $flushes',
    ({ flushes, status }) => {
      const host = new ModuleHost();
      const seen: number[] = [];
      const [first, second] = [reader(host, 0xaa, seen), reader(host, 0xbb, seen)];
      first.enter();
      expect(first.leaf('MEM_RANGE_BLOCK', 0).status).toBe(TDX_SUCCESS);
      // The same VCPU again: nothing has flushed the translation that TRACK would have.
      expect(first.enter().status).toBe(TDCALL_EXIT);
      if (!flushes) host.platform.core.invept = () => {};
      expect(second.enter().status).toBe(TDCALL_EXIT);
      expect(first.enter().status & 0xffffn).toBe(status);
    },
  );
});
