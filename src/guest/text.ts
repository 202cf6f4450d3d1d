/** Kernel text that touches MMIO: one instruction each, at fixed offsets of the text page, so that the #VE handler has real bytes to decode. */
export type AccessSize = 1 | 2 | 4 | 8;

/** `mov [rdi], reg` and `mov reg, [rdi]` with AL, AX, EAX or RAX (writeb … readq of arch/x86/include/asm/io.h). */
const WRITE: Readonly<Record<AccessSize, readonly number[]>> = {
  1: [0x88, 0x07],
  2: [0x66, 0x89, 0x07],
  4: [0x89, 0x07],
  8: [0x48, 0x89, 0x07],
};
const READ: Readonly<Record<AccessSize, readonly number[]>> = {
  1: [0x8a, 0x07],
  2: [0x66, 0x8b, 0x07],
  4: [0x8b, 0x07],
  8: [0x48, 0x8b, 0x07],
};
const SLOT_BYTES = 16;
const INT3 = 0xcc;
const SIZES: readonly AccessSize[] = [1, 2, 4, 8];

const slotOf = (write: boolean, size: AccessSize): number => SIZES.indexOf(size) + (write ? SIZES.length : 0);

/** Offset of an accessor in the text page. */
export const accessorOffset = (write: boolean, size: AccessSize): bigint => BigInt(slotOf(write, size) * SLOT_BYTES);
export const accessorLength = (write: boolean, size: AccessSize): number => (write ? WRITE : READ)[size].length;

/** The bytes of the accessors' page. */
export function accessorText(): Uint8Array {
  const text = new Uint8Array(2 * SIZES.length * SLOT_BYTES).fill(INT3);
  for (const size of SIZES) {
    text.set(READ[size], slotOf(false, size) * SLOT_BYTES);
    text.set(WRITE[size], slotOf(true, size) * SLOT_BYTES);
  }
  return text;
}
