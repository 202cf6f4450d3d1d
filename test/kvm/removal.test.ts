import { describe, expect, it } from 'vitest';
import { tdvmcall } from '../../src/guest/index.ts';
import { wbinvd_on_all_cpus } from '../../src/linux/index.ts';
import { GPR } from '../../src/platform/guest-cpu.ts';
import type { Software } from '../../src/platform/index.ts';
import { EAGAIN, EIO, ENOMEM, ENOSPC } from '../../src/spec/errno.ts';
import type { KnobValue } from '../../src/spec/knob.ts';
import {
  KVM_CHECK_EXTENSION,
  KVM_PRE_FAULT_MEMORY,
  KVM_RUN,
  KVM_TDX_FINALIZE_VM,
  kvm_pre_fault_memory,
} from '../../src/spec/kvm-uapi.ts';
import { TDG } from '../../src/spec/leaves.ts';
import { TDX_OPERAND_BUSY, TDX_OPERAND_INVALID, TDX_RND_NO_ENTROPY } from '../../src/spec/status.ts';
import { TDVMCALL } from '../../src/spec/tdvmcall.ts';
import { type Slot, setAttributes } from '../../src/vmm/memory.ts';
import { House, inLongMode } from './house.ts';
import { TdUser } from './user.ts';

const PAGE = 4096;
let house: House;

const boot = (knobs: Readonly<Record<string, KnobValue>> = {}): House => {
  house = new House(knobs);
  return house;
};

const kvmPages = (): string[] => [...house.kernel.pages.outstanding().keys()].filter((owner) => owner.startsWith('kvm:'));
const keysInUse = (): number => house.kernel.tdx.guestKeyIds!.inUse.size;
/** SEAMCALLs with their results from event `since` on. */
const calls = (since: number): string[] =>
  house.platform.events.events
    .slice(since)
    .filter((event) => event.kind === 'seamcall')
    .map((event) => `${event.name} ${event.result}`);

interface Running {
  readonly user: TdUser;
  readonly slot: Slot;
  readonly vcpu: number;
}

/** A TD that can run. */
function* runnableTd(user: TdUser): Software<Running> {
  yield* user.initialize();
  const slot = yield* user.slot(0, 0, 16 * PAGE);
  const vcpu = yield* user.readyVcpu(0);
  yield* user.command(user.vmFd, KVM_TDX_FINALIZE_VM);
  return { user, slot, vcpu };
}

const program = <T>(body: (user: TdUser) => Software<T>): T =>
  house.user(function* (thread) {
    return yield* body(yield* TdUser.open(thread));
  });

/** Pre-faults one page of a runnable TD and converts it to shared. */
const convertAfterPreFault = (knobs: Readonly<Record<string, KnobValue>>, inject: (house: House) => void) => {
  boot(knobs);
  return program(function* (user) {
    const { vcpu } = yield* runnableTd(user);
    const bytes = new Uint8Array(kvm_pre_fault_memory.SIZE);
    kvm_pre_fault_memory.size.set(bytes, BigInt(PAGE));
    yield* user.with(vcpu, KVM_PRE_FAULT_MEMORY, bytes);
    inject(house);
    const since = house.platform.events.events.length;
    yield* setAttributes(user.thread, user.vmFd, { gpa: 0, length: PAGE, isPrivate: false }, user.scratch.data);
    const names = calls(since);
    return { names, alive: yield* user.thread.ioctl(user.vmFd, KVM_CHECK_EXTENSION, 0n) };
  });
};

/** The guest writes a private page; the page leaves the TD; KeyID 0 writes it and all caches are written back: what KeyID 0 reads. */
function afterRemoval(zapSkip: string): 'same' | 'different' {
  boot({ 'kvm.zapSkip': zapSkip });
  house.platform.vmx.boot = inLongMode(function* (cpu) {
    cpu.gpr[GPR.RAX] = TDG.MEM_PAGE_ACCEPT;
    cpu.gpr[GPR.RCX] = 0n;
    yield* cpu.tdcall();
    yield* cpu.storeBytes(0n, new Uint8Array(64).fill(0x5a));
    yield* tdvmcall(cpu, TDVMCALL.REPORT_FATAL_ERROR, {});
  });
  const ours = new Uint8Array(64).fill(0x11);
  return program(function* (user) {
    const { vcpu, slot } = yield* runnableTd(user);
    yield* user.thread.ioctl(vcpu, KVM_RUN, 0n);
    const page = ([...house.kvm.vms][0]!.slots.get(slot.id)!.gmem!.file as { pages: ReadonlyMap<number, number> }).pages.get(0)!;
    yield* setAttributes(user.thread, user.vmFd, { gpa: 0, length: PAGE, isPrivate: false }, user.scratch.data);
    const { lp } = user.thread.cpu;
    lp.storeBytes(page, ours);
    lp.clflush(page, 64);
    yield* wbinvd_on_all_cpus(user.thread.cpu);
    return lp.loadBytes(page, 64).every((byte, i) => byte === ours[i]) ? 'same' : 'different';
  });
}

describe('ranges that no page table of the TD reaches', () => {
  it.each([2 ** 47, 2 ** 48, 2 ** 48 + 2 ** 47])('converting at GPA %d touches no page of the TD', (gpa) => {
    boot();
    const touched = program(function* (user) {
      const { vcpu } = yield* runnableTd(user);
      const bytes = new Uint8Array(kvm_pre_fault_memory.SIZE);
      kvm_pre_fault_memory.size.set(bytes, BigInt(PAGE));
      yield* user.with(vcpu, KVM_PRE_FAULT_MEMORY, bytes);
      const since = house.platform.events.events.length;
      for (const isPrivate of [true, false]) {
        yield* setAttributes(user.thread, user.vmFd, { gpa, length: 2 ** 33, isPrivate }, user.scratch.data);
      }
      return { calls: calls(since), alive: yield* user.thread.ioctl(user.vmFd, KVM_CHECK_EXTENSION, 0n) };
    });
    expect(touched).toEqual({ calls: [], alive: 0 });
  });
});

describe('removing a private page', () => {
  const none = (): void => undefined;

  it('[S2-77] BLOCK, TRACK, REMOVE, WBINVD; without one of them the module or the memory shows it', () => {
    const full = convertAfterPreFault({}, none);
    expect(full.names).toEqual([
      'TDH.MEM.RANGE.BLOCK TDX_SUCCESS',
      'TDH.MEM.TRACK TDX_SUCCESS',
      'TDH.MEM.PAGE.REMOVE TDX_SUCCESS',
      'TDH.PHYMEM.PAGE.WBINVD TDX_SUCCESS',
    ]);
    expect(full.alive).toBe(0);
    const noBlock = convertAfterPreFault({ 'kvm.zapSkip': 'block' }, none);
    expect(noBlock.names.at(-1)).toContain('TDX_GPA_RANGE_NOT_BLOCKED');
    expect(noBlock.alive).toBe(-EIO);
    const noTrack = convertAfterPreFault({ 'kvm.zapSkip': 'track' }, none);
    expect(noTrack.names.at(-1)).toContain('TDX_TLB_TRACKING_NOT_DONE');
    expect(noTrack.alive).toBe(-EIO);
    // A dirty line under the TD's KeyID stays behind and lands on the next user's data.
    expect([afterRemoval('none'), afterRemoval('wbinvd')]).toEqual(['same', 'different']);
  });

  it('[S2-79] one busy lock is tried again with the vCPUs outside, a second one bugs the VM', () => {
    const once = convertAfterPreFault({}, ({ module }) => module.faults.inject('MEM_RANGE_BLOCK', TDX_OPERAND_BUSY));
    expect(once.names.filter((name) => name.startsWith('TDH.MEM.RANGE.BLOCK'))).toHaveLength(2);
    expect(once.alive).toBe(0);
    const twice = convertAfterPreFault({}, ({ module }) => module.faults.inject('MEM_RANGE_BLOCK', TDX_OPERAND_BUSY, 0, 2));
    expect(twice.names).toHaveLength(2);
    expect(twice.alive).toBe(-EIO);
  });
});

describe('giving up the KeyID', () => {
  const lifeOf = (knobs: Readonly<Record<string, KnobValue>>): string[] => {
    boot(knobs);
    const since = house.platform.events.events.length;
    program(runnableTd);
    return calls(since);
  };

  it('[S2-80] leaves nothing; a vCPU that is not flushed, or a package not written back, leaks the KeyID', () => {
    lifeOf({});
    expect([kvmPages(), keysInUse()]).toEqual([[], 0]);
    const noFlush = lifeOf({ 'kvm.teardownSkip': 'vp-flush' });
    expect(noFlush.at(-1)).toContain('TDX_FLUSHVP_NOT_DONE');
    expect(keysInUse()).toBe(1);
    // The control pages are leaked with it, on purpose.
    expect(kvmPages()).toEqual(expect.arrayContaining(['kvm:tdr', 'kvm:tdcs', 'kvm:tdvpr', 'kvm:tdcx']));
    const noWriteBack = lifeOf({ 'kvm.teardownSkip': 'cache-wb-one-package' });
    expect(noWriteBack.at(-1)).toContain('TDX_WBCACHE_NOT_COMPLETE');
    expect(keysInUse()).toBe(1);
    expect(house.log()).toContain('is leaked');
  });
});

describe('INIT_VM that fails', () => {
  const initVm = (inject: (house: House) => void): number => {
    boot();
    inject(house);
    return program((user) => user.initialize());
  };

  it('[S2-31] takes down exactly what was there, wherever it failed', () => {
    const bad = TDX_OPERAND_INVALID | 1n;
    const errnos = (['MNG_CREATE', 'MNG_KEY_CONFIG', 'MNG_ADDCX', 'MNG_INIT'] as const).flatMap((leaf) =>
      [0, 1].map((skip) => {
        const errno = initVm(({ module }) =>
          module.faults.inject(leaf, leaf === 'MNG_INIT' ? 0x8000_0700_0000_0000n : bad, skip),
        );
        expect([leaf, kvmPages(), keysInUse()]).toEqual([leaf, [], 0]);
        return errno;
      }),
    );
    // MNG.CREATE and MNG.INIT are called once, so their second call never fails.
    expect(errnos).toEqual([-EIO, 0, -EIO, -EIO, -EIO, -EIO, -EIO, 0]);
  });

  it('[S2-29] has no entropy after ten tries: -EAGAIN and nothing leaked', () => {
    for (const leaf of ['MNG_CREATE', 'MNG_ADDCX'] as const) {
      expect(initVm(({ module }) => module.faults.inject(leaf, TDX_RND_NO_ENTROPY, 0, 10))).toBe(-EAGAIN);
      expect([kvmPages(), keysInUse()]).toEqual([[], 0]);
      expect(initVm(({ module }) => module.faults.inject(leaf, TDX_RND_NO_ENTROPY, 0, 9))).toBe(0);
    }
  });

  it('has no memory: -ENOMEM and nothing leaked', () => {
    for (const owner of ['kvm:tdr', 'kvm:tdcs', 'kvm:packages', 'kvm:td-params']) {
      expect(initVm(({ kernel }) => kernel.faults.failAllocation(owner, { skip: owner === 'kvm:tdcs' ? 3 : 0 }))).toBe(-ENOMEM);
      expect([owner, kvmPages(), keysInUse()]).toEqual([owner, [], 0]);
    }
  });

  it('[S2-28] has no KeyID left: -ENOSPC', () => {
    boot();
    const errnos = house.user(function* (thread) {
      const results: number[] = [];
      while (results.at(-1) !== -ENOSPC && results.length < 64) {
        const user = yield* TdUser.open(thread);
        results.push(yield* user.initialize());
      }
      return results;
    });
    expect(errnos).toEqual([...Array<number>(47).fill(0), -ENOSPC]);
    expect(keysInUse()).toBe(0);
  });
});
