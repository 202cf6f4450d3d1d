import { MachineCheck, type Software } from '../platform/index.ts';
import { PT } from '../spec/states.ts';
import type { Cpu } from './cpu.ts';
import { PAGE_SIZE } from './mm/memblock.ts';
import { tdh_phymem_page_rdmd } from './tdx/tdh.ts';
import { is_pamt_page } from './tdx/tdmr.ts';

/** Runs software on a CPU with the machine-check vector in place: the handler sees the exception, and then it is fatal. */
export function* guard<T>(cpu: Cpu, software: Software<T>): Software<T> {
  try {
    return yield* software;
  } catch (exception) {
    if (exception instanceof MachineCheck && !cpu.kernel.panicked) yield* do_machine_check(cpu, exception, 'kernel');
    throw exception;
  }
}

/** The #MC handler. In kernel code it ends in a panic; in user mode it only costs the process. */
export function* do_machine_check(cpu: Cpu, exception: MachineCheck, context: 'kernel' | 'user'): Software {
  const { pa, keyId, fault } = exception;
  const at = `0x${pa.toString(16)}`;
  const event = cpu.lp.beginEvent('exception', '#MC', { pa: at, keyId, check: fault.check });
  cpu.printk('emerg', 'mce', `[Hardware Error]: Machine check: memory error, address ${at}`, { pa: at, keyId, context });
  if (yield* tdx_page_is_private(cpu, pa))
    cpu.printk('emerg', 'mce', '[Hardware Error]: TDX private memory error. Possible kernel bug.', { pa: at });
  cpu.lp.endEvent(event);
  if (context === 'kernel') cpu.kernel.panic(cpu, 'Fatal machine check', exception);
}

/**
 * Does the module say that this page is private? Imprecise twice: before the module is ready a PAMT is not recognised, and a page that
 * the module gave back but nobody has written since still faults while it counts as normal.
 */
function* tdx_page_is_private(cpu: Cpu, pa: number): Software<boolean> {
  const { tdx } = cpu.kernel;
  if (!tdx.hasPartialWriteBug || !tdx.initialized) return false;
  const { status, pageType } = yield* tdh_phymem_page_rdmd(cpu, pa - (pa % PAGE_SIZE));
  if (status !== 0n) return false;
  if (pageType === PT.NDA) return false;
  return pageType === PT.RSVD ? is_pamt_page(tdx.tdmrs, pa) : true;
}
