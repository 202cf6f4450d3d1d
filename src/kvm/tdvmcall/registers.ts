import type { Register } from '../tdx/td.ts';
import type { Vcpu } from '../vcpu/vcpu.ts';

/** A register as the guest passed it. */
export const arg = (vcpu: Vcpu, register: Register): bigint => vcpu.td!.args[register];

/** The low half of a register as a C `int`. */
export const intArg = (vcpu: Vcpu, register: Register): number => Number(BigInt.asIntN(32, arg(vcpu, register)));

/** A register as the guest will see it. */
export function setResult(vcpu: Vcpu, register: Register, value: bigint): void {
  vcpu.td!.args[register] = value;
}

/** The GHCI status. */
export const setStatus = (vcpu: Vcpu, status: bigint): void => setResult(vcpu, 'r10', status);

/** Ends a TDVMCALL inside KVM: the status, and back into the guest. */
export function finish(vcpu: Vcpu, status: bigint): number {
  setStatus(vcpu, status);
  return 1;
}
