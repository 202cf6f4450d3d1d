import {
  copy_from_user,
  firstCpuOfEachPackage,
  smp_call_function_single,
  type Thread,
  tdh_mng_addcx,
  tdh_mng_create,
  tdh_mng_init,
  tdh_mng_key_config,
  tdh_mng_rd,
  tdx_guest_keyid_alloc,
  tdx_guest_keyid_free,
} from '../../linux/index.ts';
import type { Software } from '../../platform/index.ts';
import { E2BIG, EAGAIN, EFAULT, EINVAL, EIO, ENOMEM } from '../../spec/errno.ts';
import { KVM_MAX_CPUID_ENTRIES, kvm_cpuid_entry2, kvm_tdx_init_vm } from '../../spec/kvm-uapi.ts';
import { MD_TD } from '../../spec/metadata.ts';
import { statusCode, TDX_OPERAND_INVALID, TDX_RND_NO_ENTROPY } from '../../spec/status.ts';
import { allocPage, allocPages, freePage } from '../pages.ts';
import type { CommandResult, VmCommand } from '../vm/memory-encrypt-op.ts';
import { type Vm, vmBugged } from '../vm/vm.ts';
import { type TdParams, tdParams } from './td-params.ts';
import { reclaimTdControlPages, releaseHkid } from './teardown.ts';

const TDR = 'kvm:tdr';
const TDCS = 'kvm:tdcs';
const PACKAGES = 'kvm:packages';
const SHARED_BIT_48 = 2 ** 47;
const SHARED_BIT_52 = 2 ** 51;

/** KVM_TDX_INIT_VM: the TD gets a KeyID, its control pages and its parameters. */
export const initVm: VmCommand = function* (current, vm, command) {
  const td = vm.td!;
  if (td.state !== 'uninitialized') return { errno: -EINVAL };
  if (command.flags !== 0) return { errno: -EINVAL };
  const init = readInitVm(current, command.data);
  if (typeof init === 'number') return { errno: init };
  const params = tdParams(current, vm, init);
  if (typeof params === 'number') return { errno: params };
  const result = yield* createTd(current, vm, params);
  if (result.errno !== 0) return result;
  td.tscOffset = (yield* tdh_mng_rd(current.cpu, td.pages, MD_TD.TSC_OFFSET)).data;
  td.tscMultiplier = (yield* tdh_mng_rd(current.cpu, td.pages, MD_TD.TSC_MULTIPLIER)).data;
  td.attributes = params.attributes;
  td.xfam = params.xfam;
  td.sharedBit = params.is52Bit ? SHARED_BIT_52 : SHARED_BIT_48;
  td.state = 'initialized';
  return { errno: 0 };
};

/** The structure with its entries, after the checks that need no more than it. */
function readInitVm(current: Thread, data: bigint): Uint8Array | number {
  const { cpuid, reserved, SIZE } = kvm_tdx_init_vm;
  const header = copy_from_user(current, data + BigInt(cpuid.nent.offset), cpuid.nent.size);
  if (!header) return -EFAULT;
  const nent = cpuid.nent.load(header, 0);
  if (nent > KVM_MAX_CPUID_ENTRIES) return -E2BIG;
  const bytes = copy_from_user(current, data, SIZE + nent * kvm_cpuid_entry2.SIZE);
  if (!bytes) return -EFAULT;
  if (reserved.get(bytes).some((byte) => byte !== 0)) return -EINVAL;
  if (cpuid.padding.get(bytes) !== 0 || cpuid.nent.get(bytes) !== nent) return -EINVAL;
  return bytes;
}

/** __tdx_td_init up to the pages: a KeyID and memory, or nothing. */
function* createTd(current: Thread, vm: Vm, params: TdParams): Software<CommandResult> {
  const td = vm.td!;
  const hkid = tdx_guest_keyid_alloc(current.cpu);
  if (hkid < 0) return { errno: hkid };
  td.hkid = hkid;
  return yield* giveControlPages(current, vm, params);
}

function* giveControlPages(current: Thread, vm: Vm, params: TdParams): Software<CommandResult> {
  const td = vm.td!;
  const { slab } = current.cpu.kernel;
  const tdr = allocPage(current, TDR);
  const tdcs = tdr < 0 ? null : allocPages(current, vm.kvm.tdx!.tdcsPages, TDCS);
  const mask = tdcs !== null && slab.kzalloc(PACKAGES);
  const undo = (errno: number): CommandResult => {
    if (mask) slab.kfree(PACKAGES);
    for (const page of tdcs ?? []) freePage(current, page);
    if (tdr > 0) freePage(current, tdr);
    td.pages.tdr_page = 0;
    tdx_guest_keyid_free(current.cpu, td.hkid);
    td.hkid = 0;
    return { errno };
  };
  if (!mask) return undo(-ENOMEM);
  if (!hasCpuInEachPackage(current)) return undo(-EIO);
  td.pages.tdr_page = tdr;
  yield* vm.kvm.tdxLock.lock();
  const created = yield* tdh_mng_create(current.cpu, td.pages, td.hkid);
  vm.kvm.tdxLock.unlock();
  if (created !== 0n)
    return undo(
      created === TDX_RND_NO_ENTROPY ? -EAGAIN : vmBugged(current, vm, `TDH.MNG.CREATE returned 0x${created.toString(16)}`),
    );
  const result = yield* configureTd(current, vm, tdcs!, params);
  slab.kfree(PACKAGES);
  if (result.errno === 0) return result;
  for (const page of tdcs!) if (!td.pages.tdcs_pages.includes(page)) freePage(current, page);
  yield* releaseHkid(current, vm);
  yield* reclaimTdControlPages(current, vm);
  return result;
}

function hasCpuInEachPackage(current: Thread): boolean {
  const { cpus } = current.cpu.kernel;
  const present = new Set(cpus.map((cpu) => cpu.package));
  const isComplete = firstCpuOfEachPackage(cpus).length === present.size;
  if (!isComplete)
    current.cpu.printk('warn', 'kvm_intel', 'All packages need to have online CPU to create TD. Online CPU and retry.');
  return isComplete;
}

/** From the TDR on: keys, TDCS pages, parameters. What fails here is undone by a teardown. */
function* configureTd(current: Thread, vm: Vm, tdcs: readonly number[], params: TdParams): Software<CommandResult> {
  const td = vm.td!;
  for (const cpu of firstCpuOfEachPackage(current.cpu.kernel.cpus)) {
    let status = 0n;
    const called = yield* smp_call_function_single(current.cpu, cpu.id, function* (there) {
      status = yield* tdh_mng_key_config(there, td.pages);
    });
    if (called !== 0 || status !== 0n)
      return { errno: vmBugged(current, vm, `TDH.MNG.KEY.CONFIG returned 0x${status.toString(16)}`) };
  }
  for (const page of tdcs) {
    const status = yield* tdh_mng_addcx(current.cpu, td.pages, page);
    if (status === TDX_RND_NO_ENTROPY) return { errno: -EAGAIN };
    if (status !== 0n) return { errno: vmBugged(current, vm, `TDH.MNG.ADDCX returned 0x${status.toString(16)}`) };
    td.pages.tdcs_pages.push(page);
  }
  return yield* passParams(current, vm, params);
}

function* passParams(current: Thread, vm: Vm, params: TdParams): Software<CommandResult> {
  const page = allocPage(current, 'kvm:td-params');
  if (page < 0) return { errno: page };
  current.cpu.lp.storeBytes(page, params.bytes);
  const { status } = yield* tdh_mng_init(current.cpu, vm.td!.pages, page);
  freePage(current, page);
  if (status === 0n) return { errno: 0 };
  if (statusCode(status) === TDX_OPERAND_INVALID) return { errno: -EINVAL, hwError: status };
  return { errno: vmBugged(current, vm, `TDH.MNG.INIT returned 0x${status.toString(16)}`) };
}
