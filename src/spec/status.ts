import * as codes from './status-codes.ts';
import { OPERAND, STATUSES_WITH_OPERAND } from './status-tables.ts';

export * from './status-codes.ts';
export * from './status-tables.ts';

const HIGH = 0xffff_ffff_0000_0000n;
const LOW = 0xffff_ffffn;

const softwareNames: ReadonlyMap<bigint, string> = new Map(
  [codes.TDX_SEAMCALL_VMFAILINVALID, codes.TDX_SEAMCALL_GP, codes.TDX_SEAMCALL_UD].map((code) => [code, nameOf(code)]),
);
const moduleNames: ReadonlyMap<bigint, string> = new Map(
  Object.entries(codes)
    .filter(([name]) => !/^LINUX_|_MASK$|^TDX_(SW_)?ERROR$|^TDX_SEAMCALL_/.test(name))
    .map(([name, code]) => [code, name]),
);
const operandNames: ReadonlyMap<bigint, string> = new Map(Object.entries(OPERAND).map(([name, id]) => [id, name]));

function nameOf(code: bigint): string {
  return Object.entries(codes).find(([, value]) => value === code)![0];
}

/** Bit 63: the leaf failed. Statuses such as TDX_PAGE_ALREADY_FREE are neither errors nor plain success. */
export const isError = (status: bigint): boolean => status >> 63n === 1n;

/** Bits 63:32 are 0: the leaf did what it was asked (bits 31:0 may hold an exit reason). */
export const isSuccess = (status: bigint): boolean => (status & HIGH) === 0n;

/** A status without its bits 31:0, as Linux compares it. */
export const statusCode = (status: bigint): bigint => status & HIGH;

/** Bits 31:0: operand id, exit reason, TDMR bytes, level…, by status. */
export const statusDetail = (status: bigint): bigint => status & LOW;

export interface StatusParts {
  readonly error: boolean;
  readonly nonRecoverable: boolean;
  readonly fatal: boolean;
  readonly hostRecoverabilityHint: boolean;
  /** Bits 47:40. */
  readonly class: number;
  /** Bits 39:32: the number inside the class. */
  readonly detailsL1: number;
  /** Bits 31:0. */
  readonly detailsL2: number;
}

export const statusParts = (status: bigint): StatusParts => ({
  error: isError(status),
  nonRecoverable: ((status >> 62n) & 1n) === 1n,
  fatal: ((status >> 61n) & 1n) === 1n,
  hostRecoverabilityHint: ((status >> 60n) & 1n) === 1n,
  class: Number((status >> 40n) & 0xffn),
  detailsL1: Number((status >> 32n) & 0xffn),
  detailsL2: Number(status & LOW),
});

/** `TDX_OPERAND_INVALID | RCX`; an unknown status prints as its 16 hexadecimal digits. */
export function statusName(status: bigint): string {
  const software = softwareNames.get(status);
  if (software) return software;
  const name = moduleNames.get(status & HIGH);
  if (!name) return `0x${status.toString(16).padStart(16, '0')}`;
  const detail = status & LOW;
  if (STATUSES_WITH_OPERAND.has(Number(status >> 32n))) return `${name} | ${operandNames.get(detail) ?? detail}`;
  return detail === 0n ? name : `${name} | 0x${detail.toString(16)}`;
}
