import { GPR } from '../../platform/index.ts';
import { TD_VMCS, TDCS, TDVPS } from '../../spec/layouts.ts';
import { INITIAL_VCPU, LAST_TD_EXIT, VCPU_STATE } from '../../spec/states.ts';
import { TDX_MAX_VCPUS_EXCEEDED, TDX_SUCCESS, TDX_VCPU_STATE_INCORRECT } from '../../spec/status.ts';
import type { Leaf, LeafContext } from '../context.ts';
import { ensure } from '../status.ts';
import { lockVcpu, openTd } from '../td/checks.ts';
import type { Tdcs } from '../td/tdcs.ts';
import type { Tdvps } from '../td/tdvps.ts';
import { associate, ensurePages, ensureTscAdjust } from '../td/vcpu.ts';
import { gprField, VMCS_PAGE, XAPIC_ID } from '../td-exit/registers.ts';

const GPA_WIDTH = [48n, 52n] as const;
const SEGMENTS = ['ES', 'SS', 'DS', 'FS', 'GS'] as const;
const CPUID_VERSION_LEAF = 1;

/** TDH.VP.INIT: a VCPU with its state at the reset vector. Version 1 (profile 1.5-kvm, assumed): R8 is its x2APIC id. */
export const vpInit: Leaf = function* (ctx) {
  const { tdr, tdvps } = lockVcpu(ctx, 'RCX', ctx.rcx, 'exclusive');
  const tdcs = openTd(ctx, tdr, 'shared');
  ensurePages(tdcs, tdvps);
  ensure(tdvps.get(TDVPS.VCPU_STATE) === VCPU_STATE.UNINITIALIZED, TDX_VCPU_STATE_INCORRECT);
  yield 'lock';
  const index = tdcs.add(TDCS.NUM_VCPUS, 1);
  if (index >= tdcs.get(TDCS.MAX_VCPUS)) {
    tdcs.add(TDCS.NUM_VCPUS, -1);
    ensure(false, TDX_MAX_VCPUS_EXCEEDED);
  }
  // The count stays as it is when this fails (leaf-checks.md §3).
  ensureTscAdjust(ctx);
  initManagement(ctx, tdcs, tdvps, index);
  initGprs(ctx, tdcs, tdvps, index);
  initVmcs(tdcs, tdvps);
  associate(ctx, tdcs, tdvps);
  ctx.module.platform.vmx.clear(tdvps.page(VMCS_PAGE));
  tdvps.set(TDVPS.VCPU_STATE, VCPU_STATE.READY);
  return TDX_SUCCESS;
};

function initManagement(ctx: LeafContext, tdcs: Tdcs, tdvps: Tdvps, index: number): void {
  tdvps.set(TDVPS.VCPU_INDEX, index);
  tdvps.set(TDVPS.LAST_TD_EXIT, LAST_TD_EXIT.ASYNC_FAULT);
  tdvps.set(TDVPS.XFAM, tdcs.get(TDCS.XFAM));
  tdvps.set(TDVPS.XCR0, INITIAL_VCPU.XCR0);
  tdvps.set(TDVPS.DR6, INITIAL_VCPU.DR6);
  tdvps.set(TDVPS.IA32_FMASK, INITIAL_VCPU.FMASK);
  // Version 0 has no x2APIC id operand; the module then uses the VCPU index (assumed).
  tdvps.set(XAPIC_ID, ctx.version > 0 ? Number(BigInt.asUintN(32, ctx.r8)) : index);
}

function initGprs(ctx: LeafContext, tdcs: Tdcs, tdvps: Tdvps, index: number): void {
  const initial = ctx.rdx;
  tdvps.set(gprField(GPR.RBX), GPA_WIDTH[tdcs.get(TDCS.GPAW)]!);
  tdvps.set(gprField(GPR.RCX), initial);
  tdvps.set(gprField(GPR.R8), initial);
  tdvps.set(gprField(GPR.RDX), BigInt(ctx.lp.cpuid(CPUID_VERSION_LEAF)[0] >>> 0));
  tdvps.set(gprField(GPR.RSI), BigInt(index));
}

function initVmcs(tdcs: Tdcs, tdvps: Tdvps): void {
  const i = INITIAL_VCPU;
  tdvps.set(TD_VMCS.GUEST_RIP, i.RIP);
  tdvps.set(TD_VMCS.GUEST_RFLAGS, i.RFLAGS);
  tdvps.set(TD_VMCS.GUEST_CR0, i.CR0);
  tdvps.set(TD_VMCS.GUEST_CR4, i.CR4);
  tdvps.set(TD_VMCS.GUEST_IA32_EFER, i.EFER);
  tdvps.set(TD_VMCS.GUEST_IA32_PAT, i.PAT);
  tdvps.set(TD_VMCS.GUEST_IA32_PERF_GLOBAL_CTRL, i.PERF_GLOBAL_CTRL);
  tdvps.set(TD_VMCS.GUEST_DR7, i.DR7);
  tdvps.set(TD_VMCS.GUEST_CS_AR_BYTES, Number(i.CS_AR));
  tdvps.set(TD_VMCS.GUEST_CS_LIMIT, Number(i.CODE_AND_DATA_LIMIT));
  for (const segment of SEGMENTS) {
    tdvps.set(TD_VMCS[`GUEST_${segment}_AR_BYTES`], Number(i.DATA_AR));
    tdvps.set(TD_VMCS[`GUEST_${segment}_LIMIT`], Number(i.CODE_AND_DATA_LIMIT));
  }
  tdvps.set(TD_VMCS.GUEST_LDTR_AR_BYTES, Number(i.LDTR_AR));
  tdvps.set(TD_VMCS.GUEST_TR_AR_BYTES, Number(i.TR_AR));
  for (const table of ['LDTR', 'TR', 'GDTR', 'IDTR'] as const) tdvps.set(TD_VMCS[`GUEST_${table}_LIMIT`], Number(i.SYSTEM_LIMIT));
  tdvps.set(TD_VMCS.PIN_BASED_VM_EXEC_CONTROL, Number(i.PIN_BASED));
  tdvps.set(TD_VMCS.CPU_BASED_VM_EXEC_CONTROL, Number(i.CPU_BASED));
  tdvps.set(TD_VMCS.SECONDARY_VM_EXEC_CONTROL, Number(i.CPU_BASED2));
  tdvps.set(TD_VMCS.VM_EXIT_CONTROLS, Number(i.VM_EXIT_CONTROLS));
  tdvps.set(TD_VMCS.VM_ENTRY_CONTROLS, Number(i.VM_ENTRY_CONTROLS));
  tdvps.set(TD_VMCS.EXCEPTION_BITMAP, Number(i.EXCEPTION_BITMAP));
  tdvps.set(TD_VMCS.POSTED_INT_NOTIFICATION_VECTOR, Number(i.NOTIFICATION_VECTOR));
  tdvps.set(TD_VMCS.POSTED_INT_DESC_ADDR, i.POSTED_INT_DESC_ADDR);
  tdvps.set(TD_VMCS.EPTP, tdcs.get(TDCS.EPTP));
}
