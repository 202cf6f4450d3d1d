import type { VmExit } from '../../platform/index.ts';
import { ATTRIBUTES, TD_VMCS, TDCS, XFAM } from '../../spec/layouts.ts';
import { injectGp, injectInstructionVe } from './inject.ts';
import { type ExitHandler, unexpectedExit } from './outcome.ts';
import { advanceRip, readGpr } from './registers.ts';
import type { TdRun } from './run.ts';

const CR_MASK = 0xfn;
const TYPE_SHIFT = 4n;
const TYPE_MASK = 0x3n;
const REGISTER_SHIFT = 8n;
const LMSW_SOURCE_SHIFT = 16n;
const MOV_TO_CR = 0n;
const LMSW = 3n;

const CR0 = {
  PE: 1n,
  NE: 1n << 5n,
  WP: 1n << 16n,
  NW: 1n << 29n,
  CD: 1n << 30n,
  PG: 1n << 31n,
  HIGH: 0xffff_ffff_0000_0000n,
} as const;
/** Bits that keep their old value on a write (cr-and-instructions.json cr0, order 5). */
const CR0_IGNORED = 0x1ffa_ffc0n;
const LMSW_BITS = 0xen;
const CR4 = { VMXE: 1n << 13n, KL: 1n << 19n, PKE: 1n << 22n, CET: 1n << 23n, PKS: 1n << 24n, UINTR: 1n << 25n } as const;

/** A CR access that exits: the masks of TDH.VP.INIT let only the bits that the module owns come here. */
export const crAccessExit: ExitHandler = function* (run, exit) {
  const register = exit.qualification & CR_MASK;
  const type = (exit.qualification >> TYPE_SHIFT) & TYPE_MASK;
  if (register === 0n && type === MOV_TO_CR) movToCr0(run, exit, source(run, exit));
  else if (register === 4n && type === MOV_TO_CR) movToCr4(run, exit, source(run, exit));
  else if (type === LMSW) lmsw(run, exit);
  else return unexpectedExit(run, exit);
  return null;
};

const source = (run: TdRun, { qualification }: VmExit): bigint =>
  readGpr(run, Number((qualification >> REGISTER_SHIFT) & CR_MASK));
const missing = (value: bigint, bits: bigint): boolean => (value & bits) !== bits;
const any = (value: bigint, bits: bigint): boolean => (value & bits) !== 0n;

function movToCr0(run: TdRun, exit: VmExit, value: bigint): void {
  const { tdcs, tdvps } = run;
  const fixed0 = tdcs.get(TDCS.VIRTUAL_IA32_VMX_CR0_FIXED0) & ~(CR0.PE | CR0.PG);
  const fixed1 = tdcs.get(TDCS.VIRTUAL_IA32_VMX_CR0_FIXED1);
  const breaksFixed = missing(value, fixed0) || any(value & ~CR0.HIGH, ~fixed1 & ~CR0.HIGH);
  const breaksPaging = !any(value, CR0.PE) && any(value, CR0.PG);
  const breaksCet = !any(value, CR0.WP) && any(tdvps.get(TD_VMCS.GUEST_CR4), CR4.CET);
  if (breaksFixed || breaksPaging || breaksCet) injectGp(run);
  else if (missing(value, CR0.PE | CR0.NE) || any(value, CR0.NW | CR0.CD | CR0.HIGH)) injectInstructionVe(run, exit);
  else writeCr0(run, exit, value);
}

function writeCr0(run: TdRun, exit: VmExit, value: bigint): void {
  const old = run.tdvps.get(TD_VMCS.GUEST_CR0);
  run.tdvps.set(TD_VMCS.GUEST_CR0, (value & ~CR0_IGNORED) | (old & CR0_IGNORED));
  advanceRip(run, exit);
}

function lmsw(run: TdRun, exit: VmExit): void {
  const old = run.tdvps.get(TD_VMCS.GUEST_CR0);
  const word = (exit.qualification >> LMSW_SOURCE_SHIFT) & LMSW_BITS;
  run.tdvps.set(TD_VMCS.GUEST_CR0, (old & ~LMSW_BITS) | word);
  advanceRip(run, exit);
}

/** CR4 never gets a new value here: what is legal did not exit. */
function movToCr4(run: TdRun, exit: VmExit, value: bigint): void {
  const { tdcs, tdvps } = run;
  const fixed0 = tdcs.get(TDCS.VIRTUAL_IA32_VMX_CR4_FIXED0) & ~CR4.VMXE;
  const fixed1 = tdcs.get(TDCS.VIRTUAL_IA32_VMX_CR4_FIXED1);
  const xfam = tdcs.get(TDCS.XFAM);
  const illegal =
    missing(value, fixed0) ||
    any(value, ~fixed1) ||
    (any(value, CR4.PKE) && !any(xfam, XFAM.PKRU)) ||
    (any(value, CR4.CET) && !any(xfam, XFAM.CET_U | XFAM.CET_S)) ||
    (any(value, CR4.UINTR) && !any(xfam, XFAM.UINTR)) ||
    any(value, CR4.KL) ||
    (any(value, CR4.PKS) && !any(tdcs.get(TDCS.ATTRIBUTES), ATTRIBUTES.PKS)) ||
    (any(value, CR4.CET) && !any(tdvps.get(TD_VMCS.GUEST_CR0), CR0.WP));
  if (illegal) injectGp(run);
  else injectInstructionVe(run, exit);
}
