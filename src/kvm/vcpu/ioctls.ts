import type { FileOperations, Thread } from '../../linux/index.ts';
import type { Software } from '../../platform/index.ts';
import { EINTR, EINVAL, EIO } from '../../spec/errno.ts';
import {
  KVM_GET_CPUID2,
  KVM_GET_DEBUGREGS,
  KVM_GET_FPU,
  KVM_GET_LAPIC,
  KVM_GET_MP_STATE,
  KVM_GET_MSRS,
  KVM_GET_REGS,
  KVM_GET_SREGS,
  KVM_GET_SREGS2,
  KVM_GET_TSC_KHZ,
  KVM_GET_XCRS,
  KVM_GET_XSAVE,
  KVM_MEMORY_ENCRYPT_OP,
  KVM_PRE_FAULT_MEMORY,
  KVM_RUN,
  KVM_SET_CPUID2,
  KVM_SET_DEBUGREGS,
  KVM_SET_FPU,
  KVM_SET_GUEST_DEBUG,
  KVM_SET_LAPIC,
  KVM_SET_MP_STATE,
  KVM_SET_MSRS,
  KVM_SET_REGS,
  KVM_SET_SREGS,
  KVM_SET_SREGS2,
  KVM_SET_TSC_KHZ,
  KVM_SET_XCRS,
  KVM_SET_XSAVE,
} from '../../spec/kvm-uapi.ts';
import { PAGE_SIZE } from '../mmu/ept.ts';
import { requestName } from '../request-name.ts';
import { putVm } from '../vm/destroy.ts';
import { getCpuid2, setCpuid2 } from './cpuid2.ts';
import { vcpuLoad } from './load.ts';
import { memoryEncryptOp } from './memory-encrypt-op.ts';
import { getMpState, setMpState } from './mp-state.ts';
import { getMsrs, setMsrs } from './msrs.ts';
import { preFaultMemory } from './pre-fault-memory.ts';
import { run } from './run.ts';
import { getTscKhz, setTscKhz } from './tsc-khz.ts';
import type { Vcpu } from './vcpu.ts';

export type VcpuIoctl = (current: Thread, vcpu: Vcpu, arg: bigint) => Software<number>;

const IOCTLS: ReadonlyMap<number, VcpuIoctl> = new Map([
  [KVM_RUN, run],
  [KVM_SET_CPUID2, setCpuid2],
  [KVM_GET_CPUID2, getCpuid2],
  [KVM_GET_MP_STATE, getMpState],
  [KVM_SET_MP_STATE, setMpState],
  [KVM_GET_MSRS, getMsrs],
  [KVM_SET_MSRS, setMsrs],
  [KVM_GET_TSC_KHZ, getTscKhz],
  [KVM_SET_TSC_KHZ, setTscKhz],
  [KVM_PRE_FAULT_MEMORY, preFaultMemory],
]);

/** State of a TD's vCPU that the host cannot reach: guest_state_protected. */
const PROTECTED: ReadonlySet<number> = new Set([
  KVM_GET_REGS,
  KVM_SET_REGS,
  KVM_GET_SREGS,
  KVM_SET_SREGS,
  KVM_GET_SREGS2,
  KVM_SET_SREGS2,
  KVM_GET_FPU,
  KVM_SET_FPU,
  KVM_GET_XSAVE,
  KVM_SET_XSAVE,
  KVM_GET_XCRS,
  KVM_SET_XCRS,
  KVM_GET_DEBUGREGS,
  KVM_SET_DEBUGREGS,
  KVM_GET_LAPIC,
  KVM_SET_LAPIC,
  KVM_SET_GUEST_DEBUG,
]);

/** An ordinary VMX guest is outside the model; saying so beats an errno that KVM would not give. */
export class NotModelled extends Error {
  readonly code = 'NOT_MODELLED';
}

/** Requests that share a number between two scopes, like KVM_SET_TSC_KHZ, are told apart by the file. */
function* locked(current: Thread, vcpu: Vcpu, request: number, arg: bigint): Software<number> {
  const ioctl = IOCTLS.get(request);
  const isProtected = PROTECTED.has(request);
  if (!vcpu.td && (request === KVM_RUN || isProtected)) {
    throw new NotModelled(
      `${requestName(request)} on an ordinary VM: Seamline runs TDs only; create the VM with type KVM_X86_TDX_VM`,
    );
  }
  if (!ioctl) return -EINVAL;
  yield* vcpuLoad(current, vcpu);
  return yield* ioctl(current, vcpu, arg);
}

/** Files of a vCPU. */
export const vcpuFileOperations = (vcpu: Vcpu): FileOperations => ({
  name: `kvm-vcpu:${vcpu.id}`,
  requestName,
  *ioctl(current, _file, request, arg) {
    if (vcpu.vm.process !== current.process || vcpu.vm.dead) return -EIO;
    if (request === KVM_MEMORY_ENCRYPT_OP) return yield* memoryEncryptOp(current, vcpu, arg);
    if (!(yield* vcpu.mutex.lockKillable(() => current.signal_pending))) return -EINTR;
    const result = yield* locked(current, vcpu, request, arg);
    vcpu.mutex.unlock();
    return result;
  },
  *mmap(_current, _file, length) {
    return length <= vcpu.runPages.length * PAGE_SIZE ? vcpu.runPages.slice(0, Math.ceil(length / PAGE_SIZE)) : -EINVAL;
  },
  *release(current) {
    yield* putVm(current, vcpu.vm);
  },
});
