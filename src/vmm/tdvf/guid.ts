/** Bytes of a GUID in an image. */
export const GUID_BYTES = 16;

/** The 16 bytes of a GUID as firmware stores it: the first three fields little-endian, the last two in the order they are written. */
export function guidBytes(guid: string): Uint8Array {
  const digits = guid.replaceAll('-', '');
  const bytes = Uint8Array.from({ length: GUID_BYTES }, (_, i) => Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16));
  bytes.subarray(0, 4).reverse();
  bytes.subarray(4, 6).reverse();
  bytes.subarray(6, 8).reverse();
  return bytes;
}

/** Are the 16 bytes at `offset` this GUID? False when they do not all lie inside `bytes`. */
export function hasGuid(bytes: Uint8Array, offset: number, guid: Uint8Array): boolean {
  if (offset < 0 || offset + GUID_BYTES > bytes.length) return false;
  return guid.every((byte, i) => bytes[offset + i] === byte);
}
