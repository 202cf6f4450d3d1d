/** Cutting a program into machines of their own, by a rule that knows nothing of workers. */
import { StressMisuse } from './errors.ts';

/** Into how many shards a whole program is cut, whatever the number of workers. */
export const STRESS_SHARDS = 16;

export interface StressShard {
  readonly index: number;
  readonly of: number;
}

export function checkShard({ index, of }: StressShard): void {
  if (!(Number.isInteger(of) && of >= 1 && of <= 2 ** 16)) throw new StressMisuse('SHARD', `${of} shards: give 1 to 65536`);
  if (!(Number.isInteger(index) && index >= 0 && index < of))
    throw new StressMisuse('SHARD', `shard ${index} of ${of}: give 0 to ${of - 1}`);
}

/** The shard's part of `total` things: the first ones get what is left over. */
export function shardPart(total: number, { index, of }: StressShard): number {
  return Math.floor(total / of) + (index < total % of ? 1 : 0);
}

/** Where the shard's part begins. */
export function shardStart(total: number, { index, of }: StressShard): number {
  return index * Math.floor(total / of) + Math.min(index, total % of);
}

/** Operations that a shard runs of `operations` in all. Throws {@link StressMisuse} `COUNT`, `SHARD`. */
export function shardOperations(operations: number, shard: StressShard): number {
  checkCount(operations);
  checkShard(shard);
  return shardPart(operations, shard);
}

export function checkCount(operations: number): void {
  if (!(Number.isSafeInteger(operations) && operations >= 0))
    throw new StressMisuse('COUNT', `${operations} operations: give a whole number, 0 or more`);
}
