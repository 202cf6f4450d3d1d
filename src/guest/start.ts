import { GPR, type GuestCpu, type GuestSoftware } from '../platform/guest-cpu.ts';
import { ATTRIBUTES, CONFIG_FLAGS, TD_CTLS } from '../spec/layouts.ts';
import { TDG } from '../spec/leaves.ts';
import { MD_TD } from '../spec/metadata.ts';
import { statusName } from '../spec/status.ts';
import { TDVMCALL } from '../spec/tdvmcall.ts';
import { type VpInfo, vpInfo } from './attest.ts';
import type { TdGuest } from './kernel.ts';
import { GuestPanic } from './observer.ts';
import { mustTdcall, tdcall } from './tdcall.ts';
import { tdvmcall } from './tdvmcall.ts';

const CR0_PG = 1n << 31n;
const CR4_PAE = 1n << 5n;
/** Where the kernel's page tables would lie; the model keeps them as ranges (page-table.ts). */
const PAGE_TABLE = 0x1000n;
const TDX_CPUID_LEAF = 0x21n;
const TDX_IDENT = 'IntelTDX    ';
const SEPT_VE_ERROR = 'TD misconfiguration: SEPT #VE has to be disabled';

/** From the 32-bit reset state to 64-bit mode, as firmware and boot loader do: TDCALL is #GP outside it. */
export function enterLongMode(cpu: GuestCpu): void {
  cpu.writeCr('cr4', cpu.state.cr4 | CR4_PAE);
  cpu.writeCr('cr3', PAGE_TABLE);
  cpu.writeCr('cr0', cpu.state.cr0 | CR0_PG);
}

/** tdx_early_init(): detection, TDG.VP.INFO, the SEPT-#VE policy (guest-and-ghci.md §1). Null: this is not a TD. */
export function* startGuest(guest: TdGuest, cpu: GuestCpu): GuestSoftware<VpInfo | null> {
  enterLongMode(cpu);
  guest.setUpIdt(cpu);
  if ((yield* identity(cpu)) !== TDX_IDENT) return null;
  const info = yield* vpInfo(cpu);
  if (typeof info === 'bigint') throw new GuestPanic(`TDCALL TDG.VP.INFO failed (Buggy TDX module!): ${statusName(info)}`);
  if (guest.sharedMask === 0n) guest.setSharedBit(info.gpaWidth - 1);
  if (info.vcpuIndex === 0) {
    yield* mustTdcall(cpu, TDG.VM_WR, { RCX: 0n, RDX: MD_TD.NOTIFY_ENABLES, R8: 0n, R9: (1n << 64n) - 1n });
    yield* disableSeptVe(guest, cpu, info.attributes);
    yield* reduceUnnecessaryVe(guest, cpu);
  }
  return info;
}

function* identity(cpu: GuestCpu): GuestSoftware<string> {
  cpu.gpr[GPR.RAX] = TDX_CPUID_LEAF;
  cpu.gpr[GPR.RCX] = 0n;
  yield* cpu.cpuid();
  const words = [cpu.gpr[GPR.RBX]!, cpu.gpr[GPR.RDX]!, cpu.gpr[GPR.RCX]!];
  return words
    .flatMap((word) => [0n, 8n, 16n, 24n].map((shift) => String.fromCharCode(Number((word >> shift) & 0xffn))))
    .join('');
}

/** disable_sept_ve(): a host that could raise #VE at will on private pages could attack the guest's entry code. */
function* disableSeptVe(guest: TdGuest, cpu: GuestCpu, attributes: bigint): GuestSoftware {
  const debug = (attributes & ATTRIBUTES.DEBUG) !== 0n;
  const flags = yield* readTdField(cpu, MD_TD.CONFIG_FLAGS);
  if ((flags & CONFIG_FLAGS.FLEXIBLE_PENDING_VE) === 0n) {
    if ((attributes & ATTRIBUTES.SEPT_VE_DISABLE) !== 0n) return;
    if (debug) guest.warn(SEPT_VE_ERROR);
    else yield* fatalError(cpu, SEPT_VE_ERROR);
    return;
  }
  const controls = yield* readTdField(cpu, MD_TD.TD_CTLS);
  if ((controls & TD_CTLS.PENDING_VE_DISABLE) !== 0n || debug) return;
  yield* tdcall(cpu, TDG.VM_WR, { RCX: 0n, RDX: MD_TD.TD_CTLS, R8: TD_CTLS.PENDING_VE_DISABLE, R9: TD_CTLS.PENDING_VE_DISABLE });
}

/** reduce_unnecessary_ve(): a module that does not know REDUCE_VE refuses the write, and the guest lives with more #VEs. */
function* reduceUnnecessaryVe(guest: TdGuest, cpu: GuestCpu): GuestSoftware {
  const status = yield* tdcall(cpu, TDG.VM_WR, { RCX: 0n, RDX: MD_TD.TD_CTLS, R8: TD_CTLS.REDUCE_VE, R9: TD_CTLS.REDUCE_VE });
  if (status !== 0n) guest.observer.log(`REDUCE_VE is not available: ${statusName(status)}`);
}

function* readTdField(cpu: GuestCpu, field: bigint): GuestSoftware<bigint> {
  yield* mustTdcall(cpu, TDG.VM_RD, { RCX: 0n, RDX: field });
  return cpu.gpr[GPR.R8]!;
}

/** tdx_panic(): the message in 64 bytes of registers, again and again: a host that re-enters gets nothing else. */
export function* fatalError(cpu: GuestCpu, message: string): GuestSoftware {
  const bytes = new Uint8Array(64);
  bytes.set(new TextEncoder().encode(message).subarray(0, 64));
  const words = new BigUint64Array(bytes.buffer);
  const [R14, R15, RBX, RDI, RSI, R8, R9, RDX] = words as unknown as [
    bigint,
    bigint,
    bigint,
    bigint,
    bigint,
    bigint,
    bigint,
    bigint,
  ];
  for (;;) yield* tdvmcall(cpu, TDVMCALL.REPORT_FATAL_ERROR, { R12: 0n, R14, R15, RBX, RDI, RSI, R8, R9, RDX });
}
