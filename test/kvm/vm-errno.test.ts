import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Thread } from '../../src/linux/index.ts';
import type { Software } from '../../src/platform/index.ts';
import type { CpuidEntry } from '../../src/spec/cpuid-entry.ts';
import { E2BIG, EBUSY, EEXIST, EFAULT, EINVAL, EIO, ENOTTY } from '../../src/spec/errno.ts';
import {
  KVM_CAP_MAX_VCPUS,
  KVM_CAP_MULTI_ADDRESS_SPACE,
  KVM_CAP_READONLY_MEM,
  KVM_CAP_SPLIT_IRQCHIP,
  KVM_CAP_VM_TYPES,
  KVM_CHECK_EXTENSION,
  KVM_CREATE_IRQCHIP,
  KVM_CREATE_VM,
  KVM_MEMORY_ENCRYPT_OP,
  KVM_SET_TSC_KHZ,
  KVM_TDX_CAPABILITIES,
  KVM_TDX_CMD_NR_MAX,
  KVM_TDX_FINALIZE_VM,
  KVM_TDX_GET_CPUID,
  KVM_TDX_INIT_MEM_REGION,
  KVM_TDX_INIT_VCPU,
  KVM_TDX_INIT_VM,
  KVM_X86_DEFAULT_VM,
  KVM_X86_SNP_VM,
  KVM_X86_TDX_VM,
  kvm_cpuid_entry2,
  kvm_tdx_capabilities,
  kvm_tdx_cmd,
  kvm_tdx_init_vm,
} from '../../src/spec/kvm-uapi.ts';
import { ATTRIBUTES, XFAM } from '../../src/spec/layouts.ts';
import { OPERAND, statusDetail, TDX_OPERAND_BUSY } from '../../src/spec/status.ts';
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

/** Runs a program with a VM of its own. */
const withVm = <T>(program: (user: TdUser) => Software<T>, type: number = KVM_X86_TDX_VM): T =>
  house.user(function* (thread: Thread) {
    return yield* program(yield* TdUser.open(thread, type));
  });

/** A command structure by hand; returns errno and the structure as it came back. */
function* rawCommand(user: TdUser, fd: number, fields: { id: number; flags?: number; data?: bigint; hw_error?: bigint }) {
  const bytes = new Uint8Array(kvm_tdx_cmd.SIZE);
  kvm_tdx_cmd.id.set(bytes, fields.id);
  kvm_tdx_cmd.flags.set(bytes, fields.flags ?? 0);
  kvm_tdx_cmd.data.set(bytes, fields.data ?? 0n);
  kvm_tdx_cmd.hw_error.set(bytes, fields.hw_error ?? 0n);
  user.thread.write(user.scratch.command, bytes);
  const errno = yield* user.thread.ioctl(fd, KVM_MEMORY_ENCRYPT_OP, BigInt(user.scratch.command));
  return { errno, hwError: kvm_tdx_cmd.hw_error.get(user.thread.read(user.scratch.command, kvm_tdx_cmd.SIZE)) };
}

describe('system ioctls', () => {
  it('[S2-61] report and create the TDX type, and refuse types that are not there', () => {
    const [types, snp, td] = house.user(function* (thread) {
      const kvm = yield* thread.open('/dev/kvm');
      const types = yield* thread.ioctl(kvm, KVM_CHECK_EXTENSION, BigInt(KVM_CAP_VM_TYPES));
      const snp = yield* thread.ioctl(kvm, KVM_CREATE_VM, BigInt(KVM_X86_SNP_VM));
      return [types, snp, yield* thread.ioctl(kvm, KVM_CREATE_VM, BigInt(KVM_X86_TDX_VM))] as const;
    });
    expect(types).toBe((1 << KVM_X86_DEFAULT_VM) | (1 << KVM_X86_TDX_VM));
    expect(snp).toBe(-EINVAL);
    expect(td).toBeGreaterThan(0);
  });

  it('[S2-63] a TD may have as many vCPUs as there are CPUs', () => {
    const values = withVm(function* ({ thread, vmFd, kvmFd }) {
      const ask = (fd: number, cap: number) => thread.ioctl(fd, KVM_CHECK_EXTENSION, BigInt(cap));
      return [
        yield* ask(vmFd, KVM_CAP_MAX_VCPUS),
        yield* ask(kvmFd, KVM_CAP_MAX_VCPUS),
        yield* ask(vmFd, KVM_CAP_READONLY_MEM),
        yield* ask(vmFd, KVM_CAP_MULTI_ADDRESS_SPACE),
      ];
    });
    expect(values).toEqual([house.kernel.cpus.length, 1024, 0, 1]);
  });
});

describe('the command', () => {
  it('[S2-02] is refused on an ordinary VM', () => {
    const errnos = withVm(function* (user) {
      const vm = yield* rawCommand(user, user.vmFd, { id: KVM_TDX_CAPABILITIES });
      const vcpu = yield* user.createVcpu(0);
      return [vm.errno, (yield* rawCommand(user, vcpu, { id: KVM_TDX_INIT_VCPU })).errno];
    }, KVM_X86_DEFAULT_VM);
    expect(errnos).toEqual([-ENOTTY, -EINVAL]);
  });

  it('[S2-10] unknown ids and vCPU commands on the VM are -EINVAL', () => {
    const errnos = withVm(function* (user) {
      const results = [];
      for (const id of [KVM_TDX_INIT_VCPU, KVM_TDX_INIT_MEM_REGION, KVM_TDX_GET_CPUID, KVM_TDX_CMD_NR_MAX, 0xffff_ffff]) {
        results.push((yield* rawCommand(user, user.vmFd, { id })).errno);
      }
      return results;
    });
    expect(errnos).toEqual([-EINVAL, -EINVAL, -EINVAL, -EINVAL, -EINVAL]);
  });

  it('hw_error on input answers before the id, an unmapped command before both', () => {
    const [hw, fault] = withVm(function* (user) {
      const hw = yield* rawCommand(user, user.vmFd, { id: KVM_TDX_CMD_NR_MAX, hw_error: 7n });
      return [hw, yield* user.thread.ioctl(user.vmFd, KVM_MEMORY_ENCRYPT_OP, 0x1000n)] as const;
    });
    expect(hw).toEqual({ errno: -EINVAL, hwError: 7n });
    expect(fault).toBe(-EFAULT);
  });
});

describe('KVM_TDX_CAPABILITIES', () => {
  it('[S2-15] flags, then the array, then the answer; nent is not updated on -E2BIG', () => {
    const { cpuid, SIZE } = kvm_tdx_capabilities;
    const result = withVm(function* (user) {
      const data = BigInt(user.scratch.data);
      const ask = (nent: number, flags = 0, at = data) => {
        const bytes = new Uint8Array(SIZE);
        cpuid.nent.set(bytes, nent);
        user.thread.write(user.scratch.data, bytes);
        return rawCommand(user, user.vmFd, { id: KVM_TDX_CAPABILITIES, flags, data: at });
      };
      const flags = yield* ask(0, 1, 0x1000n);
      const fault = yield* ask(0, 0, 0x1000n);
      const small = yield* ask(11);
      const nent = cpuid.nent.get(user.thread.read(user.scratch.data, SIZE));
      const good = yield* ask(12);
      return {
        errnos: [flags, fault, small, good].map((r) => r.errno),
        nent,
        bytes: user.thread.read(user.scratch.data, SIZE + 12 * 40),
      };
    });
    expect(result.errnos).toEqual([-EINVAL, -EFAULT, -E2BIG, 0]);
    expect(result.nent).toBe(11);
    expect(kvm_tdx_capabilities.supported_attrs.get(result.bytes)).toBe(ATTRIBUTES.SEPT_VE_DISABLE);
    expect(kvm_tdx_capabilities.supported_xfam.get(result.bytes) & (XFAM.UINTR | XFAM.LBR)).toBe(0n);
    expect(cpuid.nent.get(result.bytes)).toBe(12);
  });

  it('[S2-16] [S2-17] the address width is shown as configurable, TSX and WAITPKG are not; SetupEventNotify is offered', () => {
    const bytes = withVm(function* (user) {
      const buffer = new Uint8Array(kvm_tdx_capabilities.SIZE + 12 * kvm_cpuid_entry2.SIZE);
      kvm_tdx_capabilities.cpuid.nent.set(buffer, 12);
      user.thread.write(user.scratch.data, buffer);
      yield* user.command(user.vmFd, KVM_TDX_CAPABILITIES, { data: BigInt(user.scratch.data) });
      return user.thread.read(user.scratch.data, buffer.length);
    });
    const entries = Array.from({ length: 12 }, (_, i) => kvm_tdx_capabilities.SIZE + i * kvm_cpuid_entry2.SIZE);
    const entry = (leaf: number, index = 0) =>
      entries.find((at) => kvm_cpuid_entry2.function.get(bytes, at) === leaf && kvm_cpuid_entry2.index.get(bytes, at) === index)!;
    expect((kvm_cpuid_entry2.eax.get(bytes, entry(0x8000_0008)) >>> 16) & 0xff).toBe(0xff);
    expect(kvm_cpuid_entry2.ebx.get(bytes, entry(7)) & ((1 << 4) | (1 << 11))).toBe(0);
    expect(kvm_cpuid_entry2.ecx.get(bytes, entry(7)) & (1 << 5)).toBe(0);
    expect(entries.every((at) => kvm_cpuid_entry2.flags.get(bytes, at) === 0)).toBe(true);
    expect(kvm_tdx_capabilities.user_tdvmcallinfo_1_r11.get(bytes)).toBe(2n);
  });
});

describe('KVM_TDX_INIT_VM', () => {
  /** INIT_VM with a change; [errno, hw_error]. */
  const init = (change: (bytes: Uint8Array) => void, options: Parameters<TdUser['initBytes']>[0] = {}, flags = 0) =>
    withVm(function* (user) {
      yield* user.enableAll();
      const bytes = yield* user.initBytes(options);
      change(bytes);
      user.thread.write(user.scratch.data, bytes);
      return yield* rawCommand(user, user.vmFd, { id: KVM_TDX_INIT_VM, flags, data: BigInt(user.scratch.data) });
    });
  const asIs = (): void => undefined;
  const { cpuid, reserved } = kvm_tdx_init_vm;

  it('takes a good structure', () => {
    expect(init(asIs)).toEqual({ errno: 0, hwError: 0n });
  });

  it('[S2-20] refuses reserved, padding and flags, in the order of the checks', () => {
    const setReserved = (bytes: Uint8Array) => reserved.set(bytes, new Uint8Array(96).fill(1));
    expect(init(setReserved).errno).toBe(-EINVAL);
    expect(init((bytes) => cpuid.padding.set(bytes, 1)).errno).toBe(-EINVAL);
    expect(init(asIs, {}, 1).errno).toBe(-EINVAL);
    // nent is looked at before the reserved words: -E2BIG wins over -EINVAL.
    const both = (bytes: Uint8Array) => {
      setReserved(bytes);
      cpuid.nent.set(bytes, 257);
    };
    expect(init(both).errno).toBe(-E2BIG);
  });

  it('[S2-26] wants an address width of 48 or 52, and 5-level EPT for 52', () => {
    const width = (bits: number) =>
      init(asIs, { cpuid: (entries) => entries.map((e) => (e.function === 0x8000_0008 ? { ...e, eax: bits << 16 } : e)) }).errno;
    expect(width(48)).toBe(0);
    expect(width(50)).toBe(-EINVAL);
    expect(width(52)).toBe(-EINVAL);
    expect(init(asIs, { cpuid: (entries) => entries.filter((e) => e.function !== 0x8000_0008) }).errno).toBe(-EINVAL);
  });

  it('[S2-27] every CPUID entry must be configurable', () => {
    const extra = { function: 0x2, index: 0, flags: 0, eax: 0, ebx: 0, ecx: 0, edx: 0 };
    expect(init(asIs, { cpuid: (entries) => [...entries, extra] }).errno).toBe(-EINVAL);
    // Without the flag one entry of leaf 4 counts for each of its four configurable sub-leaves.
    const unflagged = (entries: CpuidEntry[]) =>
      entries.filter((e) => e.function !== 4 || e.index === 0).map((e) => ({ ...e, flags: e.function === 4 ? 0 : e.flags }));
    expect(init(asIs, { cpuid: unflagged }).errno).toBe(-EINVAL);
    expect(init(asIs, { cpuid: (entries) => entries.filter((e) => e.function !== 4 || e.index === 0) }).errno).toBe(0);
  });

  it('refuses TSX and WAITPKG', () => {
    const set = (entries: CpuidEntry[]) =>
      entries.map((e) => (e.function === 7 && e.index === 0 ? { ...e, ecx: e.ecx | (1 << 5) } : e));
    expect(init(asIs, { cpuid: set }).errno).toBe(-EINVAL);
  });

  it('[S2-23] works once', () => {
    const errnos = withVm(function* (user) {
      return [yield* user.initialize(), yield* user.initVm(yield* user.initBytes())];
    });
    expect(errnos).toEqual([0, -EINVAL]);
  });

  it('[S2-07] [S2-30] a TSC frequency that the module refuses is -EINVAL with its status', () => {
    const result = withVm(function* (user) {
      yield* user.enableAll();
      const set = yield* user.thread.ioctl(user.vmFd, KVM_SET_TSC_KHZ, 99_999n);
      const bytes = yield* user.initBytes();
      user.thread.write(user.scratch.data, bytes);
      const bad = yield* rawCommand(user, user.vmFd, { id: KVM_TDX_INIT_VM, data: BigInt(user.scratch.data) });
      // The VM is not bugged: with a good frequency it works.
      yield* user.thread.ioctl(user.vmFd, KVM_SET_TSC_KHZ, 124_999n);
      user.thread.write(user.scratch.data, bytes);
      const good = yield* rawCommand(user, user.vmFd, { id: KVM_TDX_INIT_VM, data: BigInt(user.scratch.data) });
      const vcpu = yield* user.createVcpu(0);
      return { set, bad, good: good.errno, vcpu: yield* user.thread.ioctl(vcpu, KVM_SET_TSC_KHZ, 0n) };
    });
    expect(result.set).toBe(0);
    expect(result.bad.errno).toBe(-EINVAL);
    expect(result.bad.hwError >> 32n).toBe(0xc000_0100n);
    expect(statusDetail(result.bad.hwError)).toBe(0x46n);
    expect(result.good).toBe(0);
    expect(result.vcpu).toBe(-EINVAL);
  });

  it('[S2-25] attributes and XFAM bits outside the supported set', () => {
    expect(init(asIs, { attributes: ATTRIBUTES.DEBUG }).errno).toBe(-EINVAL);
    expect(init(asIs, { xfam: XFAM.X87 | XFAM.SSE | XFAM.LBR }).errno).toBe(-EINVAL);
    expect(init(asIs, { attributes: 0n }).errno).toBe(0);
  });

  it('[S2-18] calls the module in order', () => {
    const before = house.platform.events.events.length;
    expect(init(asIs).errno).toBe(0);
    const names = house.platform.events.events
      .slice(before)
      .filter((event) => event.kind === 'seamcall')
      .map((event) => event.name);
    expect(names.slice(0, 2 + 2 + 6 + 2)).toEqual([
      'TDH.MNG.CREATE',
      'TDH.MNG.KEY.CONFIG',
      'TDH.MNG.KEY.CONFIG',
      ...Array<string>(6).fill('TDH.MNG.ADDCX'),
      'TDH.MNG.INIT',
      'TDH.MNG.RD',
      'TDH.MNG.RD',
    ]);
  });
});

describe('KVM_CREATE_VCPU and the irqchip', () => {
  it('[S2-22] a vCPU needs INIT_VM first', () => {
    const errnos = withVm(function* (user) {
      yield* user.enableAll();
      const early = yield* user.createVcpu(0);
      const init = yield* user.initVm(yield* user.initBytes());
      return [early, init, (yield* user.createVcpu(0)) > 0, yield* user.createVcpu(0), yield* user.createVcpu(4096)];
    });
    expect(errnos).toEqual([-EIO, 0, true, -EEXIST, -EINVAL]);
  });

  it('[S2-36] the irqchip has to be split, and cannot be a whole one', () => {
    const errnos = withVm(function* (user) {
      const whole = yield* user.thread.ioctl(user.vmFd, KVM_CREATE_IRQCHIP, 0n);
      const init = yield* user.initVm(yield* user.initBytes());
      const none = yield* user.createVcpu(0);
      const split = yield* user.enableCap(KVM_CAP_SPLIT_IRQCHIP, 24n);
      const again = yield* user.thread.ioctl(user.vmFd, KVM_CREATE_IRQCHIP, 0n);
      return [whole, init, none, split, again, (yield* user.createVcpu(0)) > 0];
    });
    expect(errnos).toEqual([-ENOTTY, 0, -EINVAL, 0, -EEXIST, true]);
  });
});

describe('KVM_TDX_FINALIZE_VM', () => {
  it('[S2-11] [S2-54] without a vCPU the module refuses, and the VM is dead', () => {
    const result = withVm(function* (user) {
      yield* user.initialize();
      const finalize = yield* rawCommand(user, user.vmFd, { id: KVM_TDX_FINALIZE_VM });
      return { finalize, after: yield* user.thread.ioctl(user.vmFd, KVM_CHECK_EXTENSION, 0n) };
    });
    expect(result.finalize).toEqual({ errno: -EIO, hwError: 0xc000_0609_0000_0000n });
    expect(result.after).toBe(-EIO);
  });

  it('[S2-55] before INIT_VM and twice are -EINVAL, a busy module is -EBUSY and may be asked again; flags are not looked at', () => {
    const errnos = withVm(function* (user) {
      const early = yield* user.command(user.vmFd, KVM_TDX_FINALIZE_VM);
      yield* user.initialize();
      const vcpu = yield* user.readyVcpu(0);
      house.module.faults.inject('MR_FINALIZE', TDX_OPERAND_BUSY | OPERAND.RCX);
      const busy = yield* rawCommand(user, user.vmFd, { id: KVM_TDX_FINALIZE_VM });
      const first = yield* user.command(user.vmFd, KVM_TDX_FINALIZE_VM, { flags: 5 });
      const second = yield* user.command(user.vmFd, KVM_TDX_FINALIZE_VM);
      return [early, vcpu > 0, busy, first, second, yield* user.createVcpu(1)];
    });
    const busy = { errno: -EBUSY, hwError: TDX_OPERAND_BUSY | OPERAND.RCX };
    expect(errnos).toEqual([-EINVAL, true, busy, 0, -EINVAL, -EIO]);
  });
});
