import { TDVMCALL_STATUS } from '../../spec/tdvmcall.ts';
import { findEntry } from '../cpuid.ts';
import type { TdvmcallHandler } from './index.ts';
import { arg, finish, setResult } from './registers.ts';

/** Values of KVM_SET_CPUID2; a leaf that is not there reads as zeros. */
export const cpuid: TdvmcallHandler = function* (_current, vcpu) {
  const entry = findEntry(vcpu.cpuid, Number(arg(vcpu, 'r12') & 0xffff_ffffn), Number(arg(vcpu, 'r13') & 0xffff_ffffn));
  setResult(vcpu, 'r12', BigInt(entry?.eax ?? 0));
  setResult(vcpu, 'r13', BigInt(entry?.ebx ?? 0));
  setResult(vcpu, 'r14', BigInt(entry?.ecx ?? 0));
  setResult(vcpu, 'r15', BigInt(entry?.edx ?? 0));
  return finish(vcpu, TDVMCALL_STATUS.SUCCESS);
};
