import {
  type Cpu,
  firstCpuOfEachPackage,
  smp_call_function_single,
  type Thread,
  tdh_mng_key_freeid,
  tdh_mng_vpflushdone,
  tdh_phymem_cache_wb,
  tdh_phymem_page_wbinvd_tdr,
  tdx_guest_keyid_free,
  tdx_quirk_reset_page,
} from '../../linux/index.ts';
import type { Software } from '../../platform/index.ts';
import { statusCode, TDX_FLUSHVP_NOT_DONE, TDX_INTERRUPTED_RESUMABLE, TDX_NO_HKID_READY_TO_WBCACHE } from '../../spec/status.ts';
import { freePage } from '../pages.ts';
import { flushVpOnCpu } from '../vcpu/load.ts';
import type { Vcpu } from '../vcpu/vcpu.ts';
import type { Vm } from '../vm/vm.ts';
import { reclaimControlPage, reclaimPage } from './reclaim.ts';

const CACHE_WB_RETRIES = 10_000;
const PACKAGES = 'kvm:packages';

/** tdx_mmu_release_hkid: the TD stops for good and its KeyID becomes free, or is leaked with a message. */
export function* releaseHkid(current: Thread, vm: Vm): Software {
  const td = vm.td!;
  if (td.hkid === 0) return;
  const { slab } = current.cpu.kernel;
  const mask = slab.kzalloc(PACKAGES);
  if (vm.kvm.knobs['kvm.teardownSkip'] !== 'vp-flush') for (const vcpu of vm.vcpus) yield* flushVpOnCpu(current, vcpu);
  yield* vm.kvm.tdxLock.lock();
  if (yield* freeKeyId(current, vm, mask)) {
    tdx_guest_keyid_free(current.cpu, td.hkid);
    td.hkid = 0;
  }
  vm.kvm.tdxLock.unlock();
  if (mask) slab.kfree(PACKAGES);
}

/** Without a package mask the caches are written back on all CPUs. True when the module freed the KeyID. */
function* freeKeyId(current: Thread, vm: Vm, mask: boolean): Software<boolean> {
  const td = vm.td!;
  const flushed = yield* tdh_mng_vpflushdone(current.cpu, td.pages);
  // A vCPU that could not be flushed has been reported already.
  if (statusCode(flushed) === TDX_FLUSHVP_NOT_DONE) return false;
  if (flushed !== 0n) return leaked(current, td.hkid, 'TDH_MNG_VPFLUSHDONE', flushed);
  const { cpus, onlineCpus } = current.cpu.kernel;
  const targets = mask ? firstCpuOfEachPackage(cpus) : onlineCpus;
  const skipped = vm.kvm.knobs['kvm.teardownSkip'] === 'cache-wb-one-package' ? 1 : 0;
  for (const cpu of targets.slice(skipped)) yield* smp_call_function_single(current.cpu, cpu.id, writeBackCache);
  const freed = yield* tdh_mng_key_freeid(current.cpu, td.pages);
  return freed === 0n || leaked(current, td.hkid, 'TDH_MNG_KEY_FREEID', freed);
}

/** smp_func_do_phymem_cache_wb: interrupts stop it, so it is resumed. No KeyID waiting is as good as done. */
function* writeBackCache(cpu: Cpu): Software {
  let status = yield* tdh_phymem_cache_wb(cpu, false);
  for (let retry = 0; statusCode(status) === TDX_INTERRUPTED_RESUMABLE && retry < CACHE_WB_RETRIES; retry++) {
    status = yield* tdh_phymem_cache_wb(cpu, true);
  }
  if (status === 0n || statusCode(status) === TDX_NO_HKID_READY_TO_WBCACHE) return;
  cpu.printk('err', 'kvm_intel', `TDH_PHYMEM_CACHE_WB failed: 0x${status.toString(16)}`);
}

function leaked(current: Thread, hkid: number, leaf: string, status: bigint): false {
  current.cpu.printk('err', 'kvm_intel', `${leaf} failed: 0x${status.toString(16)}. HKID ${hkid} is leaked.`, { hkid });
  return false;
}

/** tdx_vcpu_free. While the KeyID is still assigned its pages stay the module's. */
export function* freeVcpu(current: Thread, vm: Vm, vcpu: Vcpu): Software {
  const td = vcpu.td!;
  if (vm.td!.hkid === 0 && td.vp.tdvpr_page !== 0) {
    for (const page of td.vp.tdcx_pages) yield* reclaimControlPage(current, page);
    yield* reclaimControlPage(current, td.vp.tdvpr_page);
    td.vp.tdcx_pages.length = 0;
    td.vp.tdvpr_page = 0;
  }
  td.state = 'uninitialized';
}

/** tdx_reclaim_td_control_pages: TDCS, and the TDR last; its lines are under the global KeyID. */
export function* reclaimTdControlPages(current: Thread, vm: Vm): Software {
  const td = vm.td!;
  if (td.hkid !== 0 || td.pages.tdr_page === 0) return;
  for (const page of td.pages.tdcs_pages) yield* reclaimControlPage(current, page);
  td.pages.tdcs_pages.length = 0;
  if ((yield* reclaimPage(current, td.pages.tdr_page)) !== 0n) return;
  yield* tdh_phymem_page_wbinvd_tdr(current.cpu, td.pages);
  tdx_quirk_reset_page(current.cpu, td.pages.tdr_page);
  freePage(current, td.pages.tdr_page);
  td.pages.tdr_page = 0;
}
