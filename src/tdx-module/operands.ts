import { LIMIT } from '../spec/layouts.ts';
import type { OperandName } from '../spec/status.ts';
import type { LeafContext } from './context.ts';
import { ensure, INVALID } from './status.ts';

const HPA_LIMIT = 1n << BigInt(LIMIT.HPA_BITS);
const KEYID_OPERAND_LIMIT = 1n << 16n;
export const PAGE_4K = 4096;

/** A physical address split as the memory controller does. */
export interface KeyedAddress {
  readonly pa: number;
  readonly keyId: number;
}

/**
 * The "4K PA check" (leaf-checks.md §0), with another alignment where the leaf wants one: aligned, no KeyID bits, below 2^52;
 * else TDX_OPERAND_INVALID with the operand. Returns the address.
 */
export const pageAddress = (ctx: LeafContext, operand: OperandName, value: bigint, alignment = PAGE_4K): number => {
  ensure(isPageAddress(ctx, value, alignment), INVALID[operand]);
  return Number(value);
};

/** As {@link pageAddress}, for structures that have a status of their own. */
export const isPageAddress = (ctx: LeafContext, value: bigint, alignment = PAGE_4K): boolean =>
  value % BigInt(alignment) === 0n && value < HPA_LIMIT && value >> BigInt(ctx.module.keyIds.shift) === 0n;

/** Splits any physical address below 2^52 into address and KeyID. */
export const splitAddress = (ctx: LeafContext, value: bigint): KeyedAddress => {
  const shift = BigInt(ctx.module.keyIds.shift);
  return { pa: Number(value & ((1n << shift) - 1n)), keyId: Number(value >> shift) };
};

/** The "shared HPA check" of a host buffer: aligned, below 2^52, a shared KeyID, outside SEAMRR; else TDX_OPERAND_INVALID. */
export const sharedAddress = (ctx: LeafContext, operand: OperandName, value: bigint, alignment: number): KeyedAddress => {
  ensure(value % BigInt(alignment) === 0n && value < HPA_LIMIT, INVALID[operand]);
  const address = splitAddress(ctx, value);
  ensure(address.keyId < ctx.module.keyIds.firstPrivate && !ctx.module.platform.seam.covers(address.pa), INVALID[operand]);
  return address;
};

/** A private KeyID in bits 15:0, all other bits 0; else TDX_OPERAND_INVALID. */
export const privateKeyId = (ctx: LeafContext, operand: OperandName, value: bigint): number => {
  ensure(value < KEYID_OPERAND_LIMIT && ctx.module.isPrivateKeyId(Number(value)), INVALID[operand]);
  return Number(value);
};
