/** 64-bit seeds, as numbers and as text. */

/** Largest 64-bit seed. */
export const MAX_SEED = 2n ** 64n - 1n;

/** The seed that a text stands for, in decimal or as 0x…; undefined when it is none. */
export function parseSeedText(text: string): bigint | undefined {
  if (!/^(\d{1,20}|0x[0-9a-f]{1,16})$/i.test(text)) return undefined;
  const seed = BigInt(text);
  return seed <= MAX_SEED ? seed : undefined;
}
