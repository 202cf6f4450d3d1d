export { Cpu } from './cpu.ts';
export { type CpuhpState, cpu_down, cpu_up, cpuhp_remove_state, cpuhp_setup_state } from './cpu-hotplug.ts';
export { cpu_feature_enabled, type Feature } from './cpufeature.ts';
export { Devices, type MiscDevice } from './devices.ts';
export { FaultInjection, type FaultWindow } from './faults.ts';
export { File, type FileOperations, FileTable } from './file.ts';
export { Kernel, type Panic, type RebootNotifier } from './kernel.ts';
export { type KexecReport, kernel_kexec, kexec_load, kexecBoot } from './kexec.ts';
export { type KernelKnobs, kernelKnobs } from './knobs.ts';
export { guard } from './mce.ts';
export { MemoryNotifiers } from './memory-hotplug.ts';
export { type Memblock, type MemblockRegion, PAGE_SIZE } from './mm/memblock.ts';
export { clear_page, PageAllocator } from './mm/page-alloc.ts';
export { Slab } from './mm/slab.ts';
export { exercise_memory, type WorkloadReport } from './mm/workload.ts';
export { type Facts, KernelLog, type LogEntry, type LogLevel } from './printk.ts';
export { kthread_run, Process } from './process.ts';
export {
  firstCpuOfEachPackage,
  on_each_cpu,
  type SmpFunction,
  smp_call_function_many,
  smp_call_function_single,
  tdx_flush_cache_local,
  wait_for_completion,
  wbinvd,
  wbinvd_on_all_cpus,
} from './smp.ts';
export { tdx_cpu_enable } from './tdx/cpu-enable.ts';
export { tdx_may_offline } from './tdx/cpu-hotplug.ts';
export { tdx_enable } from './tdx/enable.ts';
export { tdx_get_sysinfo, tdx_guest_keyid_alloc, tdx_guest_keyid_free } from './tdx/exports.ts';
export { TdxHost } from './tdx/host.ts';
export { GuestKeyIdPool } from './tdx/keyid-pool.ts';
export { tdx_quirk_reset_page } from './tdx/quirk-reset.ts';
export { __seamcall, seamcall, seamcall_prerr, seamcall_prerr_ret, seamcallErrno, type TdxModuleArgs } from './tdx/seamcall.ts';
export type { CpuidConfig, TdxSysInfo } from './tdx/sysinfo.ts';
export * from './tdx/tdh.ts';
export {
  construct_tdmrs,
  fill_out_tdmrs,
  is_pamt_page,
  pamtRanges,
  type Span,
  type Tdmr,
  type TdmrEnvironment,
  type TdmrLimits,
  type TdmrResult,
} from './tdx/tdmr.ts';
export { copy_from_user, copy_to_user, get_user_page, Signal, Thread } from './thread.ts';
export { x86_virt_get_ref, x86_virt_put_ref } from './vmx.ts';
