import {
  type Thread,
  tdh_mem_page_remove,
  tdh_mem_range_block,
  tdh_mem_track,
  tdh_phymem_page_wbinvd_hkid,
  tdx_quirk_reset_page,
} from '../../linux/index.ts';
import type { Software } from '../../platform/index.ts';
import { statusCode, TDX_OPERAND_BUSY } from '../../spec/status.ts';
import { kickAll } from '../vcpu/kick.ts';
import { type Vm, vmBugged } from '../vm/vm.ts';
import { addressOf, NONPRESENT, septLevel } from './ept.ts';

/** The status of a SEAMCALL that also returns the entry. */
export function* statusOf(seamcall: Software<{ readonly status: bigint }>): Software<bigint> {
  return (yield* seamcall).status;
}

const PAGE_LEVEL = septLevel(1);

/** Runs a SEAMCALL; when it meets a lock that a vCPU holds, once more with every vCPU kept outside the TD (tdx_do_no_vcpus). */
function* doNoVcpus(current: Thread, vm: Vm, seamcall: () => Software<bigint>): Software<bigint> {
  const status = yield* seamcall();
  if (statusCode(status) !== TDX_OPERAND_BUSY) return status;
  vm.td!.waitForSeptZap = true;
  yield* kickAll(current, vm);
  const second = yield* seamcall();
  vm.td!.waitForSeptZap = false;
  return second;
}

/** True when the status bugs the VM. */
function failed(current: Thread, vm: Vm, leaf: string, status: bigint): boolean {
  if (status === 0n) return false;
  vmBugged(current, vm, `${leaf} returned 0x${status.toString(16)}`);
  return true;
}

/** tdx_track: a new TLB epoch, and every vCPU out of the old one. */
function* track(current: Thread, vm: Vm): Software {
  const td = vm.td!;
  if (td.state !== 'runnable') return;
  failed(current, vm, 'TDH.MEM.TRACK', yield* doNoVcpus(current, vm, () => tdh_mem_track(current.cpu, td.pages)));
  yield* kickAll(current, vm);
}

/** tdx_sept_remove_private_spte: takes a 4 KiB page out of the TD. The MMU lock is held for writing. `gpa` is private, `at` its mirror entry. */
export function* zapPrivateLeaf(current: Thread, vm: Vm, gpa: number, at: number, entry: bigint): Software {
  const td = vm.td!;
  const skip = vm.kvm.knobs['kvm.zapSkip'];
  const page = addressOf(entry);
  current.cpu.lp.store64(at, NONPRESENT);
  if (td.hkid === 0) {
    vmBugged(current, vm, 'a private page is removed without a KeyID');
    return;
  }
  if (skip !== 'block') {
    const status = yield* doNoVcpus(current, vm, () =>
      statusOf(tdh_mem_range_block(current.cpu, td.pages, BigInt(gpa), PAGE_LEVEL)),
    );
    if (failed(current, vm, 'TDH.MEM.RANGE.BLOCK', status)) return;
  }
  if (skip !== 'track') yield* track(current, vm);
  const removed = yield* doNoVcpus(current, vm, () =>
    statusOf(tdh_mem_page_remove(current.cpu, td.pages, BigInt(gpa), PAGE_LEVEL)),
  );
  if (failed(current, vm, 'TDH.MEM.PAGE.REMOVE', removed)) return;
  if (skip !== 'wbinvd') {
    if (failed(current, vm, 'TDH.PHYMEM.PAGE.WBINVD', yield* tdh_phymem_page_wbinvd_hkid(current.cpu, td.hkid, page))) return;
  }
  tdx_quirk_reset_page(current.cpu, page);
}
