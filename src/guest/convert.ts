import { GPR, type GuestCpu, type GuestSoftware } from '../platform/guest-cpu.ts';
import { EIO } from '../spec/errno.ts';
import { TDVMCALL, TDVMCALL_STATUS } from '../spec/tdvmcall.ts';
import { acceptMemory } from './accept.ts';
import type { TdGuest } from './kernel.ts';
import { tdvmcall } from './tdvmcall.ts';

const MAX_TRIES_WITHOUT_PROGRESS = 3;

/** tdx_map_gpa(): RETRY goes on at R11, which an untrusted VMM may choose; no progress three times is a failure. */
export function* mapGpa(cpu: GuestCpu, start: bigint, end: bigint): GuestSoftware<boolean> {
  let gpa = start;
  for (let tries = 0; tries < MAX_TRIES_WITHOUT_PROGRESS; ) {
    const status = yield* tdvmcall(cpu, TDVMCALL.MAP_GPA, { R12: gpa, R13: end - gpa });
    if (status === TDVMCALL_STATUS.SUCCESS) return true;
    if (status !== TDVMCALL_STATUS.RETRY) return false;
    const next = cpu.gpr[GPR.R11]!;
    if (next < gpa || next >= end) return false;
    tries = next === gpa ? tries + 1 : 0;
    gpa = next;
  }
  return false;
}

/** set_memory_decrypted(): the page table first, then MapGPA of the shared alias. Returns 0 or -EIO. */
export function* setMemoryShared(guest: TdGuest, cpu: GuestCpu, start: bigint, bytes: bigint): GuestSoftware<number> {
  guest.pageTable.share(start, bytes);
  return (yield* mapGpa(cpu, start | guest.sharedMask, (start + bytes) | guest.sharedMask)) ? 0 : -EIO;
}

/** set_memory_encrypted(): MapGPA of the private alias and acceptance come before the private mapping (a private mapping of a shared page kills the TD). */
export function* setMemoryPrivate(guest: TdGuest, cpu: GuestCpu, start: bigint, bytes: bigint): GuestSoftware<number> {
  if (!(yield* mapGpa(cpu, start, start + bytes))) return -EIO;
  if (!(yield* acceptMemory(cpu, start, start + bytes))) return -EIO;
  guest.pageTable.unshare(start, bytes);
  return 0;
}
