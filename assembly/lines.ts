/** Moves of one 64-byte line. */

export function copyLine(to: usize, from: usize): void {
  v128.store(to, v128.load(from));
  v128.store(to, v128.load(from, 16), 16);
  v128.store(to, v128.load(from, 32), 32);
  v128.store(to, v128.load(from, 48), 48);
}

/** A piece of a line; the lengths of ordinary loads and stores without a call. */
export function copyPiece(to: usize, from: usize, length: u32): void {
  if (length == 8) store<u64>(to, load<u64>(from));
  else if (length == 64) copyLine(to, from);
  else if (length == 4) store<u32>(to, load<u32>(from));
  else memory.copy(to, from, length);
}

export function fillLine(to: usize, pattern: u64): void {
  const wide = i64x2.splat(<i64>pattern);
  v128.store(to, wide);
  v128.store(to, wide, 16);
  v128.store(to, wide, 32);
  v128.store(to, wide, 48);
}

export function clearLine(to: usize): void {
  fillLine(to, 0);
}

export function lineIs(at: usize, pattern: u64): bool {
  const wide = i64x2.splat(<i64>pattern);
  const low = v128.or(v128.xor(v128.load(at), wide), v128.xor(v128.load(at, 16), wide));
  const high = v128.or(v128.xor(v128.load(at, 32), wide), v128.xor(v128.load(at, 48), wide));
  return !v128.any_true(v128.or(low, high));
}

export function fillPage(to: usize, pattern: u64): void {
  if (pattern == 0) memory.fill(to, 0, 4096);
  else for (let at = to; at < to + 4096; at += 64) fillLine(at, pattern);
}

export function lineNumber(frame: u64, index: u32): u64 {
  return (frame << 6) | <u64>index;
}
