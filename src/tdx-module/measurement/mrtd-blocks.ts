/** One measured step is a block of 128 bytes (lifecycle.md §9): 16 bytes of ASCII name, the GPA, zeros. */
const BLOCK = 128;
const GPA_OFFSET = 16;
/** TDH.MR.EXTEND measures chunks of this size, as two more blocks. */
export const EXTEND_CHUNK = 256;

function block(name: string, gpa: number): Uint8Array {
  const bytes = new Uint8Array(BLOCK);
  for (let i = 0; i < name.length; i++) bytes[i] = name.charCodeAt(i);
  new DataView(bytes.buffer).setBigUint64(GPA_OFFSET, BigInt(gpa), true);
  return bytes;
}

/** What TDH.MEM.PAGE.ADD adds to MRTD: that there is a page, not what it holds. */
export const pageAddBlock = (gpa: number): Uint8Array => block('MEM.PAGE.ADD', gpa);
/** What TDH.MR.EXTEND adds before the 256 bytes of content. */
export const extendBlock = (gpa: number): Uint8Array => block('MR.EXTEND', gpa);
