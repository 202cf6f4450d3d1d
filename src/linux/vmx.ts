import { EBUSY } from '../spec/errno.ts';
import type { Cpu } from './cpu.ts';

/** Takes a reference to VMX operation on this CPU; the first executes VMXON. 0, or -EBUSY when somebody else did. */
export const x86_virt_get_ref = (cpu: Cpu): number => {
  if (cpu.vmxRefs === 0) {
    if (cpu.lp.vmxOn) return -EBUSY;
    cpu.lp.vmxon();
  }
  cpu.vmxRefs++;
  return 0;
};

/** Drops a reference; the last executes VMXOFF. */
export const x86_virt_put_ref = (cpu: Cpu): void => {
  if (cpu.vmxRefs > 0 && --cpu.vmxRefs === 0) cpu.lp.vmxoff();
};

/** VMXOFF whatever the references say: the CPU is about to stop. */
export const x86_virt_emergency_disable = (cpu: Cpu): void => {
  cpu.vmxRefs = 0;
  if (cpu.lp.vmxOn) cpu.lp.vmxoff();
};
