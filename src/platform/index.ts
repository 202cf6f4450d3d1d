export { KEYID_BITS, KEYID_SHIFT, PHYSICAL_ADDRESS_BITS } from './address.ts';
export { Attacker } from './attacker.ts';
export { COST } from './costs.ts';
export { Dma, type DmaResult } from './dma.ts';
export { type EventFacts, type EventKind, EventLog, type MachineEvent } from './events.ts';
export { HardwareException, MachineCheck, PageFault, VECTOR_NUMBER, type Vector } from './exceptions.ts';
export type {
  GuestCpu,
  GuestHandler,
  GuestSoftware,
  GuestStep,
  InterruptFrame,
  VcpuState,
  VmExit,
} from './guest-cpu.ts';
export { type HostSight, HostView } from './host-view.ts';
export { platformKnobs } from './knobs.ts';
export { LogicalProcessor, type LpMode } from './logical-processor.ts';
export { contains, type DramRange, endOf, type MemoryMap, overlaps, type Range, referenceMap, smallMap } from './memory-map.ts';
export { MsrFile, type MsrHandler } from './msr.ts';
export { Platform, type PlatformOptions } from './platform.ts';
export { RandomStream } from './random.ts';
export { GPR } from './registers.ts';
export { ReportOperation, type ReportRequest, type SeamIdentity } from './report.ts';
export { DEFAULT_STEP_BUDGET, describeActivity, type LpActivity, RunStuck, Scheduler, type Task } from './scheduler.ts';
export { SeamPort, type SeamSoftware } from './seam.ts';
export { Completion, type Point, type Software, type Step, type Wait } from './software.ts';
export type { SysInfoTable } from './sys-info.ts';
export { type InjectedEvent, SHARED_SLOT, type TdVmcs, VirtualCpu, vmExit } from './virtual-cpu.ts';
export { Vmx } from './vmx.ts';
