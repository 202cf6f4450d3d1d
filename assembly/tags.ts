/**
 * What a DRAM line carries besides its data, in one u32: key instance, TD bit, poison, and whether its ciphertext was
 * made real. A page whose KeyID may be read holds exactly the expected tag, so the common check is one compare.
 *
 *   31..29 | 28     | 27       | 26     | 25     | 24     | 23..0
 *   kind   | filled | tampered | stored | poison | TD bit | key instance
 *
 * `stored`: the data are ciphertext and the MAC lies in the MAC table. `filled`: poisoned by so long a fill through a faulting KeyID that
 * no line has a record of it. The kind belongs to page descriptors alone.
 */
export const INSTANCE: u32 = 0x00ffffff;
export const TD: u32 = 1 << 24;
export const POISON: u32 = 1 << 25;
export const STORED: u32 = 1 << 26;
export const TAMPERED: u32 = 1 << 27;
export const FILLED: u32 = 1 << 28;
export const TAG: u32 = 0x1fffffff;

export const KIND_SHIFT: u32 = 29;
/** One tag, one writer, one 64-bit pattern, at any level of the tree. */
export const FILL: u32 = 0;
/** A page with one tag and one writer, and data. */
export const DATA: u32 = 1;
/** A page with a tag and a writer for each line. */
export const MIXED: u32 = 2;
/** 512 descriptors one level down. */
export const NODE: u32 = 3;
/** A page as uniform as FILL but for a few lines, which lie in a small block. */
export const SPARSE: u32 = 4;
