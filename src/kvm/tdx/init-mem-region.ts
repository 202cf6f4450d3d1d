import { copy_from_user, copy_to_user, get_user_page, type Thread, tdh_mr_extend } from '../../linux/index.ts';
import type { Software } from '../../platform/index.ts';
import { EFAULT, EINTR, EINVAL, EIO, EOPNOTSUPP } from '../../spec/errno.ts';
import { KVM_TDX_MEASURE_MEMORY_REGION, kvm_tdx_init_mem_region } from '../../spec/kvm-uapi.ts';
import { condResched } from '../locks.ts';
import { PAGE_SIZE } from '../mmu/ept.ts';
import { gfnToMemslot } from '../mmu/memslot.ts';
import { loadRoots } from '../mmu/roots.ts';
import { statusOf } from '../mmu/zap.ts';
import type { VcpuCommand } from '../vcpu/memory-encrypt-op.ts';
import { type Vm, vmBugged } from '../vm/vm.ts';
import { gpaIsPrivate, type Td } from './td.ts';

const PAGE = BigInt(PAGE_SIZE);
/** TDH.MR.EXTEND measures this many bytes. */
const EXTEND_BYTES = 256;

interface Region {
  readonly source: bigint;
  readonly gpa: bigint;
  readonly pages: bigint;
}

/** KVM_TDX_INIT_MEM_REGION: copies user pages into private memory before the TD runs; progress is written back. */
export const initMemRegion: VcpuCommand = function* (current, vcpu, command) {
  const { vm } = vcpu;
  const td = vm.td!;
  if (vcpu.td!.state !== 'initialized') return -EINVAL;
  if ((command.flags & ~KVM_TDX_MEASURE_MEMORY_REGION) !== 0) return -EINVAL;
  const bytes = copy_from_user(current, command.data, kvm_tdx_init_mem_region.SIZE);
  if (!bytes) return -EFAULT;
  let region = readRegion(bytes);
  if (!isValid(td, region)) return -EINVAL;
  let errno = loadRoots(current, td);
  const measure = (command.flags & KVM_TDX_MEASURE_MEMORY_REGION) !== 0;
  while (errno === 0 && region.pages > 0n) {
    errno = current.signal_pending ? -EINTR : yield* addPage(current, vm, region, measure);
    if (errno === 0) region = { source: region.source + PAGE, gpa: region.gpa + PAGE, pages: region.pages - 1n };
  }
  writeRegion(bytes, region);
  return copy_to_user(current, command.data, bytes) < 0 ? -EFAULT : errno;
};

const readRegion = (bytes: Uint8Array): Region => ({
  source: kvm_tdx_init_mem_region.source_addr.get(bytes),
  gpa: kvm_tdx_init_mem_region.gpa.get(bytes),
  pages: kvm_tdx_init_mem_region.nr_pages.get(bytes),
});

function writeRegion(bytes: Uint8Array, { source, gpa, pages }: Region): void {
  kvm_tdx_init_mem_region.source_addr.set(bytes, source);
  kvm_tdx_init_mem_region.gpa.set(bytes, gpa);
  kvm_tdx_init_mem_region.nr_pages.set(bytes, pages);
}

/** The last byte decides, so that a region may end exactly at the shared bit. */
function isValid(td: Td, { source, gpa, pages }: Region): boolean {
  if (source % PAGE !== 0n || gpa % PAGE !== 0n || pages === 0n) return false;
  const end = BigInt.asUintN(64, gpa + pages * PAGE);
  return end > gpa && gpaIsPrivate(td, Number(gpa)) && gpaIsPrivate(td, Number(end - 1n));
}

/** kvm_gmem_populate with tdx_gmem_post_populate, for one page. */
function* addPage(current: Thread, vm: Vm, { source, gpa }: Region, measure: boolean): Software<number> {
  const gfn = Number(gpa / PAGE);
  const slot = gfnToMemslot(vm, gfn);
  if (!slot?.gmem) return -EINVAL;
  if (slot.gmem.file.released) return -EFAULT;
  const sourcePage = source === 0n ? 0 : get_user_page(current, source);
  if (sourcePage === null) return -EFAULT;
  const page = slot.gmem.file.pageOf(current, slot, gfn);
  if (page < 0) return page;
  if (!vm.attributes.isPrivate(gfn)) return -EINVAL;
  if (sourcePage === 0) return -EOPNOTSUPP;
  const errno = yield* mapPage(current, vm, gpa, page, sourcePage);
  return errno === 0 && measure ? yield* extend(current, vm, gpa) : errno;
}

/** A lock that somebody holds is not the caller's business: the fault path tries until it works. */
function* mapPage(current: Thread, vm: Vm, gpa: bigint, page: number, source: number): Software<number> {
  const td = vm.td!;
  for (;;) {
    td.pageAddSource = source;
    yield* vm.mmuLock.read();
    const result = yield* td.mirror!.map(current, vm, Number(gpa), page);
    vm.mmuLock.readUnlock();
    td.pageAddSource = 0;
    if (typeof result === 'number') return result;
    if (result === 'fixed') return 0;
    if (result === 'spurious') return -EIO;
    if (current.signal_pending) return -EINTR;
    if (vm.dead) return -EIO;
    yield* condResched(current);
  }
}

function* extend(current: Thread, vm: Vm, gpa: bigint): Software<number> {
  for (let offset = 0; offset < PAGE_SIZE; offset += EXTEND_BYTES) {
    const status = yield* statusOf(tdh_mr_extend(current.cpu, vm.td!.pages, gpa + BigInt(offset)));
    if (status !== 0n) return vmBugged(current, vm, `TDH.MR.EXTEND returned 0x${status.toString(16)}`);
  }
  return 0;
}
