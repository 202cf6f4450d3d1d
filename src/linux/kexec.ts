import { Completion, PageFault, type Software } from '../platform/index.ts';
import { ENOSYS, EOPNOTSUPP } from '../spec/errno.ts';
import { TDH_SYS_DISABLE } from '../spec/features.ts';
import { statusCode, TDX_INTERRUPTED_RESUMABLE, TDX_SW_ERROR, TDX_SYS_BUSY } from '../spec/status.ts';
import type { Cpu } from './cpu.ts';
import { Kernel } from './kernel.ts';
import { KERNEL_IMAGE, PAGE_SIZE } from './mm/memblock.ts';
import { smp_call_function_many, tdx_flush_cache_local, wait_for_completion } from './smp.ts';
import { tdx_reset_paddr } from './tdx/quirk-reset.ts';
import { seamcall } from './tdx/seamcall.ts';
import { pamtRanges, type Span } from './tdx/tdmr.ts';
import { x86_virt_emergency_disable } from './vmx.ts';

/** What the old kernel did on its way out. */
export interface KexecReport {
  /** 64-byte lines converted back, and the virtual time that took. */
  readonly resetLines: number;
  readonly resetNs: number;
  /** CPUs that executed WBINVD, in order. */
  readonly flushed: readonly number[];
  /** Where the old kernel's PAMTs lie. */
  readonly pamts: readonly Span[];
}

/** `kexec -l`, and the load of a crash kernel: 0, or why this kernel will not do it. */
export const kexec_load = (cpu: Cpu): number => {
  const { knobs, tdx } = cpu.kernel;
  if (knobs['kexec.policy'] === 'exclusive') return -ENOSYS;
  if (knobs['kexec.policy'] !== 'reject-on-erratum' || !tdx.hasPartialWriteBug) return 0;
  cpu.printk('err', 'kexec', 'Not allowed on platform with tdx_pw_mce bug', { errno: -EOPNOTSUPP });
  return -EOPNOTSUPP;
};

/** `kexec -e`: everything until the jump. What the other CPUs were doing is lost where it stands. */
export function* kernel_kexec(cpu: Cpu): Software<KexecReport> {
  const { kernel } = cpu;
  const event = cpu.lp.beginEvent('phase', 'kexec');
  const flushed: number[] = [];
  for (const notifier of kernel.rebootNotifiers) yield* notifier(cpu);
  if (kernel.knobs['kexec.policy'] === 'sys-disable') yield* tdx_sys_disable(cpu);
  yield* disableVirtualization(cpu, flushed);
  yield* stop_other_cpus(cpu, flushed);
  flushIfIncoherent(cpu, flushed);
  const before = cpu.lp.now;
  const resetLines = kernel.knobs['kexec.policy'] === 'v12' ? tdx_reset_memory(cpu) : 0;
  const resetNs = cpu.lp.now - before;
  copyNewKernel(cpu);
  cpu.lp.endEvent(event);
  return { resetLines, resetNs, flushed, pamts: pamtRanges(kernel.tdx.tdmrs) };
}

/** The jump: another kernel on the same machine. Memory, keys and SEAM are as the old one left them. */
export const kexecBoot = (old: Kernel, knobs = old.knobVector): Kernel => {
  const { platform } = old;
  for (const lp of platform.lps) {
    platform.scheduler.drop(lp);
    if (lp.stopped === 'unbreakable-shutdown') continue;
    lp.stopped = '';
    lp.mode = 'root';
    lp.interruptsEnabled = true;
  }
  const kernel = new Kernel(platform, knobs, old.generation + 1);
  for (const cpu of kernel.cpus) cpu.online = cpu.lp.stopped === '';
  return kernel;
};

/** Ends the module for good, which lets a later kernel start it again; an older module does not know the leaf. */
function* tdx_sys_disable(cpu: Cpu): Software {
  if (!cpu.kernel.tdx.hostPlatform) return;
  for (;;) {
    const status = yield* seamcall(cpu, TDH_SYS_DISABLE);
    const code = statusCode(status);
    if (code === TDX_INTERRUPTED_RESUMABLE || code === TDX_SYS_BUSY) continue;
    if (status !== 0n && (status & TDX_SW_ERROR) !== TDX_SW_ERROR) {
      cpu.printk('err', 'virt/tdx', `TDH.SYS.DISABLE failed: 0x${status.toString(16)}`, { status: `0x${status.toString(16)}` });
    }
    return;
  }
}

const alive = (kernel: Kernel): readonly Cpu[] => kernel.onlineCpus.filter((cpu) => cpu.lp.stopped === '');

const flushIfIncoherent = (cpu: Cpu, flushed: number[]): void => {
  if (cpu.kernel.knobs['kexec.flush'] === 'on' && tdx_flush_cache_local(cpu)) flushed.push(cpu.id);
};

/** VMXOFF everywhere. The early flush keeps the window short in which a stopping CPU can be hit by an NMI. */
function* disableVirtualization(cpu: Cpu, flushed: number[]): Software {
  const early = cpu.kernel.knobs['kexec.flushWhen'] === 'early';
  const targets = alive(cpu.kernel).map(({ id }) => id);
  yield* smp_call_function_many(cpu, targets, (there) => {
    if (early) flushIfIncoherent(there, flushed);
    x86_virt_emergency_disable(there);
    return undefined;
  });
}

/** Each other CPU ends in stop_this_cpu(), by NMI if it has to be: whatever it was in the middle of stays half done. */
function* stop_other_cpus(cpu: Cpu, flushed: number[]): Software {
  const { kernel } = cpu;
  for (const other of alive(kernel)) {
    if (other === cpu) continue;
    const stopped = new Completion();
    kernel.platform.interrupt(cpu.lp, other.lp, function* () {
      flushIfIncoherent(other, flushed);
      stopped.complete(other.lp.now);
      yield { what: 'stopped', ready: () => false };
    });
    yield* wait_for_completion(cpu, stopped, `CPU ${other.id} to stop`);
    kernel.platform.scheduler.drop(other.lp);
    other.lp.stopped = 'nmi-stop';
    other.online = false;
  }
}

/** tdx_reset_memory() of series v12: private memory back to normal where a partial write could poison it. Lines written. */
const tdx_reset_memory = (cpu: Cpu): number => {
  const { tdx, counters, onlineCpus } = cpu.kernel;
  if (!tdx.hostPlatform || !tdx.hasPartialWriteBug) return 0;
  if (onlineCpus.length !== 1) cpu.printk('warn', 'kexec', `${onlineCpus.length} CPUs are online`, { online: onlineCpus.length });
  if (!tdx.mayHavePrivateMemory) return 0;
  const before = counters.resetLines;
  for (const { base, size } of resetRanges(cpu)) tdx_reset_paddr(cpu, base, size);
  return counters.resetLines - before;
};

const resetRanges = (cpu: Cpu): Span[] => {
  const { tdx, knobs } = cpu.kernel;
  const pamts = pamtRanges(tdx.tdmrs);
  switch (knobs['kexec.reset']) {
    case 'none':
      return [];
    case 'pamt':
      return pamts;
    case 'tracked':
      return [...pamts, ...[...(tdx.privatePages ?? [])].map((base) => ({ base, size: PAGE_SIZE }))];
    case 'all':
      return allMemory(cpu);
  }
};

/** All memory but the image that runs. The direct mapping has it read-only, so that way the conversion ends in a page fault. */
const allMemory = (cpu: Cpu): Span[] => {
  const { memblock, knobs } = cpu.kernel;
  if (knobs['kexec.pageTable'] === 'direct')
    throw new PageFault(KERNEL_IMAGE.base, false, 'write to a read-only page of the direct mapping');
  const image = { start: KERNEL_IMAGE.base, end: KERNEL_IMAGE.base + KERNEL_IMAGE.size };
  return memblock.memory
    .flatMap(({ start, end }) => [
      { start, end: Math.min(end, image.start) },
      { start: Math.max(start, image.end), end },
    ])
    .filter(({ start, end }) => start < end)
    .map(({ start, end }) => ({ base: start, size: end - start }));
};

const IMAGE_PATTERN = 0x6b65_7865_6300_0000n;

/** relocate_kernel: the new image over the old one, after the flush: a late write-back would land on what was copied. */
const copyNewKernel = (cpu: Cpu): void => {
  const event = cpu.lp.beginEvent('memory', 'relocate_kernel copies the new image');
  cpu.kernel.platform.core.fill(cpu.package, KERNEL_IMAGE.base, KERNEL_IMAGE.size, 0, IMAGE_PATTERN);
  cpu.lp.endEvent(event);
};
