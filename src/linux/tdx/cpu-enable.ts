import type { Software } from '../../platform/index.ts';
import { ENODEV } from '../../spec/errno.ts';
import { TDH } from '../../spec/leaves.ts';
import type { Cpu } from '../cpu.ts';
import { seamcall_prerr } from './seamcall.ts';

/** TDH.SYS.INIT exactly once; whoever comes later gets the same errno. Callers hold it for each other: the second waits. */
function* sysInitOnce(cpu: Cpu): Software<number> {
  const { tdx } = cpu.kernel;
  if (tdx.sysInitOwner) {
    while (tdx.sysInitErrno === null) yield { what: 'TDH.SYS.INIT by another CPU', ready: () => tdx.sysInitErrno !== null };
    return tdx.sysInitErrno;
  }
  tdx.sysInitOwner = cpu;
  const errno = yield* seamcall_prerr(cpu, TDH.SYS_INIT, { rcx: 0n });
  if (errno === -ENODEV) cpu.printk('err', 'virt/tdx', 'module not loaded');
  tdx.sysInitErrno = errno;
  return errno;
}

/** tdx_cpu_enable(): the module on this CPU. 0, -ENODEV, or the errno of TDH.SYS.INIT or TDH.SYS.LP.INIT. */
export function* tdx_cpu_enable(cpu: Cpu): Software<number> {
  if (!cpu.kernel.tdx.hostPlatform) return -ENODEV;
  if (cpu.lpInitialized) return 0;
  const errno = (yield* sysInitOnce(cpu)) || (yield* seamcall_prerr(cpu, TDH.SYS_LP_INIT));
  if (errno === 0) cpu.lpInitialized = true;
  return errno;
}
