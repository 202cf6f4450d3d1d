import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Software } from '../../src/platform/index.ts';
import { type CpuidEntry, readEntries } from '../../src/spec/cpuid-entry.ts';
import { E2BIG, EBADF, EEXIST, EFAULT, EINTR, EINVAL, EIO, EOPNOTSUPP } from '../../src/spec/errno.ts';
import {
  KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
  KVM_GET_FPU,
  KVM_GET_LAPIC,
  KVM_GET_MP_STATE,
  KVM_GET_REGS,
  KVM_GET_SREGS,
  KVM_GET_SREGS2,
  KVM_GET_XCRS,
  KVM_GET_XSAVE,
  KVM_MEM_GUEST_MEMFD,
  KVM_MEM_LOG_DIRTY_PAGES,
  KVM_MEM_READONLY,
  KVM_MP_STATE_RUNNABLE,
  KVM_MP_STATE_UNINITIALIZED,
  KVM_PRE_FAULT_MEMORY,
  KVM_RUN,
  KVM_SET_DEBUGREGS,
  KVM_SET_GUEST_DEBUG,
  KVM_SET_REGS,
  KVM_SET_USER_MEMORY_REGION,
  KVM_SET_USER_MEMORY_REGION2,
  KVM_TDX_FINALIZE_VM,
  KVM_TDX_GET_CPUID,
  KVM_TDX_INIT_MEM_REGION,
  KVM_TDX_INIT_VCPU,
  kvm_cpuid_entry2,
  kvm_cpuid2,
  kvm_mp_state,
  kvm_pre_fault_memory,
  kvm_run,
  kvm_tdx_init_mem_region,
  kvm_userspace_memory_region2,
} from '../../src/spec/kvm-uapi.ts';
import { XFAM } from '../../src/spec/layouts.ts';
import { setAttributes } from '../../src/vmm/memory.ts';
import { House } from './house.ts';
import { TdUser } from './user.ts';

let house: House;
beforeAll(() => {
  house = new House();
});
afterAll(() => {
  expect([...house.kernel.tdx.guestKeyIds!.inUse]).toEqual([]);
  expect([...house.kernel.pages.outstanding()].filter(([owner]) => owner.startsWith('kvm:'))).toEqual([]);
});

const PAGE = 4096;
/** Runs a program with a TD that INIT_VM has been done on. */
const withTd = <T>(program: (user: TdUser) => Software<T>): T =>
  house.user(function* (thread) {
    const user = yield* TdUser.open(thread);
    yield* user.initialize();
    return yield* program(user);
  });

const seamcalls = (since: number): string[] =>
  house.platform.events.events
    .slice(since)
    .filter((event) => event.kind === 'seamcall')
    .map((event) => event.name);

/** INIT_MEM_REGION by hand: errno, and the structure as it came back. */
function* addRegion(user: TdUser, fd: number, region: { source: bigint; gpa: bigint; pages: bigint; flags?: number }) {
  const bytes = new Uint8Array(kvm_tdx_init_mem_region.SIZE);
  kvm_tdx_init_mem_region.source_addr.set(bytes, region.source);
  kvm_tdx_init_mem_region.gpa.set(bytes, region.gpa);
  kvm_tdx_init_mem_region.nr_pages.set(bytes, region.pages);
  user.thread.write(user.scratch.data, bytes);
  const errno = yield* user.command(fd, KVM_TDX_INIT_MEM_REGION, { flags: region.flags ?? 0, data: BigInt(user.scratch.data) });
  return { errno, left: kvm_tdx_init_mem_region.nr_pages.get(user.thread.read(user.scratch.data, bytes.length)) };
}

describe('KVM_TDX_INIT_VCPU', () => {
  it('[S2-33] [S2-34] [S2-35] wants flags 0, x2APIC in the CPUID, and happens once', () => {
    const errnos = withTd(function* (user) {
      const vcpu = yield* user.createVcpu(0);
      const flagsFirst = yield* user.command(vcpu, KVM_TDX_INIT_VCPU, { flags: 1 });
      const noCpuid = yield* user.command(vcpu, KVM_TDX_INIT_VCPU);
      yield* user.setCpuid(vcpu);
      const good = yield* user.command(vcpu, KVM_TDX_INIT_VCPU, { data: 0x1234n });
      return [flagsFirst, noCpuid, good, yield* user.command(vcpu, KVM_TDX_INIT_VCPU)];
    });
    expect(errnos).toEqual([-EINVAL, -EINVAL, 0, -EINVAL]);
  });

  it('[S2-37] gives the pages, starts the vCPU and writes three VMCS fields', () => {
    const calls = withTd(function* (user) {
      const vcpu = yield* user.createVcpu(0);
      yield* user.setCpuid(vcpu);
      const since = house.platform.events.events.length;
      yield* user.command(vcpu, KVM_TDX_INIT_VCPU);
      return seamcalls(since);
    });
    expect(calls).toEqual([
      'TDH.VP.CREATE',
      ...Array<string>(5).fill('TDH.VP.ADDCX'),
      'TDH.VP.INIT',
      'TDH.VP.WR',
      'TDH.VP.WR',
      'TDH.VP.WR',
    ]);
  });
});

describe('KVM_RUN before the TD can run', () => {
  it('[S2-56] the BSP gets -EINVAL; another vCPU without INIT_VCPU gets -EINTR by immediate_exit', () => {
    const errnos = withTd(function* (user) {
      const { thread } = user;
      const bsp = yield* user.createVcpu(0);
      const ap = yield* user.createVcpu(1);
      const early = yield* thread.ioctl(bsp, KVM_RUN, 0n);
      const run = yield* thread.mmapFile(ap, 3 * PAGE);
      thread.write(run + kvm_run.immediate_exit.offset, Uint8Array.of(1));
      const immediate = yield* thread.ioctl(ap, KVM_RUN, 0n);
      yield* user.with(ap, KVM_GET_MP_STATE, new Uint8Array(kvm_mp_state.SIZE));
      const before = kvm_mp_state.mp_state.get(thread.read(user.scratch.data, 4));
      yield* user.setCpuid(ap);
      yield* user.command(ap, KVM_TDX_INIT_VCPU);
      yield* user.with(ap, KVM_GET_MP_STATE, new Uint8Array(kvm_mp_state.SIZE));
      const after = kvm_mp_state.mp_state.get(thread.read(user.scratch.data, 4));
      thread.write(run + kvm_run.immediate_exit.offset, Uint8Array.of(0));
      return [early, immediate, before, after, yield* thread.ioctl(ap, KVM_RUN, 0n)];
    });
    expect(errnos).toEqual([-EINVAL, -EINTR, KVM_MP_STATE_UNINITIALIZED, KVM_MP_STATE_RUNNABLE, -EINVAL]);
  });

  it('[S2-60] protected state is out of reach, the MP state is not', () => {
    const requests = [
      KVM_GET_REGS,
      KVM_SET_REGS,
      KVM_GET_SREGS,
      KVM_GET_SREGS2,
      KVM_GET_FPU,
      KVM_GET_XSAVE,
      KVM_GET_XCRS,
      KVM_SET_DEBUGREGS,
      KVM_GET_LAPIC,
      KVM_SET_GUEST_DEBUG,
    ];
    const errnos = withTd(function* (user) {
      const vcpu = yield* user.createVcpu(0);
      const results = [];
      for (const request of requests) results.push(yield* user.thread.ioctl(vcpu, request, BigInt(user.scratch.data)));
      return [results, yield* user.with(vcpu, KVM_GET_MP_STATE, new Uint8Array(4))] as const;
    });
    expect(errnos[0]).toEqual(requests.map(() => -EINVAL));
    expect(errnos[1]).toBe(0);
  });
});

describe('KVM_TDX_INIT_MEM_REGION', () => {
  it('[S2-41] [S2-43] [S2-44] [S2-45] validates in order', () => {
    const errnos = withTd(function* (user) {
      const slot = yield* user.slot(0, 0, 16 * PAGE);
      const vcpu = yield* user.createVcpu(0);
      const source = BigInt(slot.va);
      const good = { source, gpa: 0n, pages: 1n };
      const uninitialised = (yield* addRegion(user, vcpu, good)).errno;
      yield* user.setCpuid(vcpu);
      yield* user.command(vcpu, KVM_TDX_INIT_VCPU);
      const results = [uninitialised];
      const changes = [
        { flags: 2 },
        { source: source + 1n },
        { gpa: 1n },
        { pages: 0n },
        { pages: 1n << 52n },
        { gpa: 1n << 47n },
        // The last byte counts: a region that ends at the shared bit is well-formed, and there is no slot.
        { gpa: (1n << 47n) - 4096n },
        { gpa: (1n << 47n) - 4096n, pages: 2n },
        {},
      ];
      for (const change of changes) results.push((yield* addRegion(user, vcpu, { ...good, ...change })).errno);
      return results;
    });
    expect(errnos).toEqual([...Array<number>(9).fill(-EINVAL), 0]);
  });

  it('[S2-38] [S2-46] [S2-47] adds page by page and tells how far it came', () => {
    const result = withTd(function* (user) {
      const slot = yield* user.slot(0, 0, 4 * PAGE);
      const vcpu = yield* user.readyVcpu(0);
      const since = house.platform.events.events.length;
      const short = yield* addRegion(user, vcpu, { source: BigInt(slot.va), gpa: 0n, pages: 6n });
      const adds = seamcalls(since).filter((name) => name === 'TDH.MEM.PAGE.ADD').length;
      const again = yield* addRegion(user, vcpu, { source: BigInt(slot.va), gpa: 0n, pages: 1n });
      yield* setAttributes(user.thread, user.vmFd, { gpa: 3 * PAGE, length: PAGE, isPrivate: false }, user.scratch.data);
      const notPrivate = yield* addRegion(user, vcpu, { source: BigInt(slot.va), gpa: BigInt(3 * PAGE), pages: 1n });
      yield* setAttributes(user.thread, user.vmFd, { gpa: 3 * PAGE, length: PAGE, isPrivate: true }, user.scratch.data);
      const unmapped = yield* addRegion(user, vcpu, { source: 0x1000n, gpa: BigInt(3 * PAGE), pages: 1n });
      const nothing = yield* addRegion(user, vcpu, { source: 0n, gpa: BigInt(3 * PAGE), pages: 1n });
      return { short, adds, errnos: [again, notPrivate, unmapped, nothing].map(({ errno }) => errno) };
    });
    // The slot has four pages: the fifth has no slot.
    expect(result.short).toEqual({ errno: -EINVAL, left: 2n });
    expect(result.adds).toBe(4);
    expect(result.errnos).toEqual([-EIO, -EINVAL, -EFAULT, -EOPNOTSUPP]);
  });

  it('[S2-40] extends the measurement by 16 calls a page only when asked to', () => {
    const count = (flags: number): number =>
      withTd(function* (user) {
        const slot = yield* user.slot(0, 0, 4 * PAGE);
        const vcpu = yield* user.readyVcpu(0);
        const since = house.platform.events.events.length;
        yield* addRegion(user, vcpu, { source: BigInt(slot.va), gpa: 0n, pages: 2n, flags });
        return seamcalls(since).filter((name) => name === 'TDH.MR.EXTEND').length;
      });
    expect([count(0), count(1)]).toEqual([0, 32]);
  });

  it('[S2-49] [S2-50] is over after FINALIZE_VM, when pre-faulting begins', () => {
    const errnos = withTd(function* (user) {
      const slot = yield* user.slot(0, 0, 4 * PAGE);
      const vcpu = yield* user.readyVcpu(0);
      const preFault = (gpa: bigint, size: bigint, flags = 0n) => {
        const bytes = new Uint8Array(kvm_pre_fault_memory.SIZE);
        kvm_pre_fault_memory.gpa.set(bytes, gpa);
        kvm_pre_fault_memory.size.set(bytes, size);
        kvm_pre_fault_memory.flags.set(bytes, flags);
        return user.with(vcpu, KVM_PRE_FAULT_MEMORY, bytes);
      };
      const flags = yield* preFault(1n, 0n, 1n);
      const empty = yield* preFault(0n, 0n);
      const early = yield* preFault(0n, 4096n);
      yield* user.command(user.vmFd, KVM_TDX_FINALIZE_VM);
      const late = (yield* addRegion(user, vcpu, { source: BigInt(slot.va), gpa: 0n, pages: 1n })).errno;
      return [flags, empty, early, late, yield* preFault(0n, 8192n), yield* preFault(1n << 47n, 4096n)];
    });
    expect(errnos).toEqual([-EINVAL, -EINVAL, -EOPNOTSUPP, -EINVAL, 0, -EINVAL]);
  });
});

describe('KVM_TDX_GET_CPUID', () => {
  it('is served on a vCPU that is not initialised, and no more after FINALIZE_VM', () => {
    const errnos = withTd(function* (user) {
      const vcpu = yield* user.createVcpu(0);
      const unmapped = yield* user.command(vcpu, KVM_TDX_GET_CPUID, { data: 0x1000n, flags: 3 });
      yield* user.setCpuid(vcpu);
      yield* user.command(vcpu, KVM_TDX_INIT_VCPU);
      yield* user.command(user.vmFd, KVM_TDX_FINALIZE_VM);
      return [unmapped, yield* user.command(vcpu, KVM_TDX_GET_CPUID, { data: 0x1000n })];
    });
    expect(errnos).toEqual([-EFAULT, -EINVAL]);
  });

  /** errno, nent as written back, and the entries. */
  function* getCpuid(user: TdUser, vcpu: number, room: number): Software<{ errno: number; nent: number; entries: CpuidEntry[] }> {
    const header = new Uint8Array(kvm_cpuid2.SIZE);
    kvm_cpuid2.nent.set(header, room);
    user.thread.write(user.scratch.data, header);
    const errno = yield* user.command(vcpu, KVM_TDX_GET_CPUID, { data: BigInt(user.scratch.data) });
    const nent = kvm_cpuid2.nent.get(user.thread.read(user.scratch.data, kvm_cpuid2.SIZE));
    const bytes = user.thread.read(user.scratch.data, kvm_cpuid2.SIZE + nent * kvm_cpuid_entry2.SIZE);
    return { errno, nent, entries: readEntries(bytes, kvm_cpuid2.SIZE, nent) };
  }

  it('gives the CPUID values of the TD: -E2BIG with the count where there is no room, then the entries', () => {
    const { small, full, given } = withTd(function* (user) {
      const given = yield* user.cpuid();
      const vcpu = yield* user.createVcpu(0);
      const small = yield* getCpuid(user, vcpu, 1);
      return { small, full: yield* getCpuid(user, vcpu, small.nent), given };
    });
    expect([small.errno, full.errno, full.nent]).toEqual([-E2BIG, 0, small.nent]);
    const find = (leaf: number, index: number) => full.entries.find((e) => e.function === leaf && e.index === index)!;
    expect([find(0, 0).ebx, find(0, 0).edx, find(0, 0).ecx]).toEqual([0x756e6547, 0x49656e69, 0x6c65746e]);
    expect(find(0, 0).flags).toBe(0);
    expect([find(7, 1).flags, find(0xd, 0).eax]).toEqual([KVM_CPUID_FLAG_SIGNIFCANT_INDEX, Number(XFAM.X87 | XFAM.SSE)]);
    expect((find(0x8000_0008, 0).eax >>> 16) & 0xff).toBe(48);
    // What INIT_VM was asked for: the bits of leaf 1 that it may set directly.
    expect(find(1, 0).eax).toBe(given.find((entry) => entry.function === 1)!.eax >>> 0);
    // Leaf 6 is a #VE in a TD: it has no value, and no entry.
    expect(full.entries.some((entry) => entry.function === 6)).toBe(false);
  });
});

describe('memory slots of a TD', () => {
  const region = (fields: {
    slot?: number;
    flags?: number;
    gpa?: bigint;
    size?: bigint;
    va?: bigint;
    gmem?: number;
  }): Uint8Array => {
    const layout = kvm_userspace_memory_region2;
    const bytes = new Uint8Array(layout.SIZE);
    layout.slot.set(bytes, fields.slot ?? 0);
    layout.flags.set(bytes, fields.flags ?? 0);
    layout.guest_phys_addr.set(bytes, fields.gpa ?? 0n);
    layout.memory_size.set(bytes, fields.size ?? 4096n);
    layout.userspace_addr.set(bytes, fields.va ?? 0n);
    layout.guest_memfd.set(bytes, fields.gmem ?? 0);
    return bytes;
  };

  it('[S2-58] [S2-59] read-only memory and other address spaces are refused', () => {
    const errnos = withTd(function* (user) {
      const set = (bytes: Uint8Array) => user.with(user.vmFd, KVM_SET_USER_MEMORY_REGION2, bytes);
      const v1 = (bytes: Uint8Array) => user.with(user.vmFd, KVM_SET_USER_MEMORY_REGION, bytes);
      const va = BigInt(yield* user.thread.mmap(4 * PAGE));
      return [
        yield* set(region({ va, flags: KVM_MEM_READONLY })),
        yield* set(region({ va, slot: 1 << 16 })),
        yield* v1(region({ va, flags: KVM_MEM_GUEST_MEMFD })),
        yield* set(region({ va, flags: KVM_MEM_GUEST_MEMFD | KVM_MEM_LOG_DIRTY_PAGES })),
        yield* set(region({ va, flags: KVM_MEM_GUEST_MEMFD, gmem: 99 })),
        yield* set(region({ va, flags: KVM_MEM_GUEST_MEMFD, gmem: user.kvmFd })),
        yield* set(region({ va, gpa: 1n << 47n })),
        yield* set(region({ va, size: 0n })),
        yield* set(region({ va, flags: KVM_MEM_LOG_DIRTY_PAGES })),
        yield* set(region({ va, slot: 1 })),
      ];
    });
    expect(errnos).toEqual([-EINVAL, -EINVAL, -EINVAL, -EINVAL, -EBADF, -EINVAL, -EINVAL, -EINVAL, 0, -EEXIST]);
  });

  it('[S2-57] a private slot cannot move; deleting it takes its pages out of the TD', () => {
    const result = withTd(function* (user) {
      const slot = yield* user.slot(0, 0, 4 * PAGE);
      const vcpu = yield* user.readyVcpu(0);
      yield* addRegion(user, vcpu, { source: BigInt(slot.va), gpa: 0n, pages: 3n });
      const set = (bytes: Uint8Array) => user.with(user.vmFd, KVM_SET_USER_MEMORY_REGION2, bytes);
      const moved = yield* set(
        region({ va: BigInt(slot.va), gpa: 1n << 32n, size: BigInt(4 * PAGE), flags: KVM_MEM_GUEST_MEMFD, gmem: slot.gmem }),
      );
      const since = house.platform.events.events.length;
      const deleted = yield* set(region({ size: 0n }));
      return { moved, deleted, calls: seamcalls(since) };
    });
    expect(result.moved).toBe(-EINVAL);
    expect(result.deleted).toBe(0);
    // Before FINALIZE_VM there is no TLB epoch to track.
    const one = ['TDH.MEM.RANGE.BLOCK', 'TDH.MEM.PAGE.REMOVE', 'TDH.PHYMEM.PAGE.WBINVD'];
    expect(result.calls).toEqual([...one, ...one, ...one]);
  });
});
