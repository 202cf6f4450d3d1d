/**
 * The MRTD that the TDX module will have computed when a TD is built from these sections: the formula of TDX module 1.5 applied to
 * bytes. It shares no code with the module's own leaves, so that each can check the other.
 */
import { sha384 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { TDVF_SECTION_ATTRIBUTE } from '../spec/tdvf.ts';

const PAGE_BYTES = 4096;
/** One TDH.MR.EXTEND. */
const CHUNK_BYTES = 256;
/** Every record is made of such blocks. */
const BLOCK_BYTES = 128;
const GPA_FIELD = 16;

const { MR_EXTEND, PAGE_AUG } = TDVF_SECTION_ATTRIBUTE;

/**
 * The order of the module's calls, which the host chooses and the formula remembers.
 * `per-page`: TDH.MEM.PAGE.ADD, then 16 TDH.MR.EXTEND, page after page. Linux 6.16 and later, in KVM_TDX_INIT_MEM_REGION with
 * KVM_TDX_MEASURE_MEMORY_REGION, which QEMU sets for a section with MR.EXTEND; QEMU makes one such call a section.
 * `two-pass`: all ADDs of a section, then all its EXTENDs. Hosts before upstream, e.g. Canonical's TDX kernel and QEMU 8.2.2.
 */
export const MEASURE_ORDERS = ['per-page', 'two-pass'] as const;
export type MeasureOrder = (typeof MEASURE_ORDERS)[number];

/** What the measurement depends on; a section of a parsed TDVF image is one. Addresses and sizes in bytes. */
export interface MeasurableSection {
  readonly name: string;
  /** GPA, a multiple of 4 KiB. */
  readonly memoryAddress: number;
  /** A multiple of 4 KiB. */
  readonly memoryDataSize: number;
  /** Bit 0: MR.EXTEND. Bit 1: PAGE.AUG, the pages come later and are not part of MRTD. */
  readonly attributes: number;
  /** Contents from the first byte on; zeros follow. For a measured TD_HOB: the HOB list. */
  readonly data: Uint8Array;
}

/** What one section contributed. */
export interface SectionMeasurement {
  readonly name: string;
  /** GPA of the first byte, and of the byte behind the last. */
  readonly start: number;
  readonly end: number;
  readonly pages: number;
  /** Pages whose address is in MRTD (TDH.MEM.PAGE.ADD). */
  readonly pagesAdded: number;
  /** Pages whose contents are in MRTD (16 TDH.MR.EXTEND each). */
  readonly pagesExtended: number;
}

export interface Measurement {
  /** 96 lower-case hexadecimal digits. */
  readonly mrtd: string;
  readonly order: MeasureOrder;
  readonly sections: readonly SectionMeasurement[];
}

/** Sections that no host could add page by page. */
export class MeasureError extends RangeError {
  override readonly name = 'MeasureError';
  readonly code = 'bad-section';
}

/**
 * Computes MRTD over the sections in the given order.
 * @throws {MeasureError} for a range that is not whole pages, or for more contents than memory.
 */
export function measure(
  sections: readonly MeasurableSection[],
  { order = 'per-page' }: { order?: MeasureOrder } = {},
): Measurement {
  sections.forEach(checkSection);
  const records = new Records();
  for (const section of sections) MEASURE_SECTION[order](section, records);
  return { mrtd: records.digest(), order, sections: sections.map(summarize) };
}

const MEASURE_SECTION: Record<MeasureOrder, (section: MeasurableSection, records: Records) => void> = {
  'per-page': (section, records) => {
    for (let offset = 0; offset < addedBytes(section); offset += PAGE_BYTES) {
      records.pageAdd(section, offset);
      if (section.attributes & MR_EXTEND) records.extendPage(section, offset);
    }
  },
  'two-pass': (section, records) => {
    for (let offset = 0; offset < addedBytes(section); offset += PAGE_BYTES) records.pageAdd(section, offset);
    if ((section.attributes & MR_EXTEND) === 0) return;
    for (let offset = 0; offset < addedBytes(section); offset += PAGE_BYTES) records.extendPage(section, offset);
  },
};

function addedBytes(section: MeasurableSection): number {
  return section.attributes & PAGE_AUG ? 0 : section.memoryDataSize;
}

/** The SHA-384 stream of MRTD: 128-byte blocks, nothing between them (TDX module 1.5, TDH.MEM.PAGE.ADD and TDH.MR.EXTEND). */
class Records {
  readonly #hash = sha384.create();
  readonly #add = namedBlock('MEM.PAGE.ADD', BLOCK_BYTES);
  readonly #extend = namedBlock('MR.EXTEND', BLOCK_BYTES + CHUNK_BYTES);

  pageAdd(section: MeasurableSection, offset: number): void {
    setGpa(this.#add, section.memoryAddress + offset);
    this.#hash.update(this.#add);
  }

  extendPage(section: MeasurableSection, offset: number): void {
    for (let at = offset; at < offset + PAGE_BYTES; at += CHUNK_BYTES) {
      setGpa(this.#extend, section.memoryAddress + at);
      const contents = section.data.subarray(at, at + CHUNK_BYTES);
      this.#extend.fill(0, BLOCK_BYTES + contents.length);
      this.#extend.set(contents, BLOCK_BYTES);
      this.#hash.update(this.#extend);
    }
  }

  digest(): string {
    return bytesToHex(this.#hash.digest());
  }
}

function namedBlock(name: string, bytes: number): Uint8Array {
  const block = new Uint8Array(bytes);
  block.set(new TextEncoder().encode(name));
  return block;
}

function setGpa(block: Uint8Array, gpa: number): void {
  new DataView(block.buffer).setBigUint64(GPA_FIELD, BigInt(gpa), true);
}

function checkSection({ name, memoryAddress, memoryDataSize, data }: MeasurableSection): void {
  if (![memoryAddress, memoryDataSize].every((value) => Number.isSafeInteger(value) && value >= 0 && value % PAGE_BYTES === 0)) {
    throw new MeasureError(`section ${name}: address ${memoryAddress} and size ${memoryDataSize} must be multiples of 4096`);
  }
  if (memoryDataSize > 0 && data.length > memoryDataSize) {
    throw new MeasureError(`section ${name}: ${data.length} bytes of contents for ${memoryDataSize} bytes of memory`);
  }
}

function summarize(section: MeasurableSection): SectionMeasurement {
  const pagesAdded = addedBytes(section) / PAGE_BYTES;
  return {
    name: section.name,
    start: section.memoryAddress,
    end: section.memoryAddress + section.memoryDataSize,
    pages: section.memoryDataSize / PAGE_BYTES,
    pagesAdded,
    pagesExtended: section.attributes & MR_EXTEND ? pagesAdded : 0,
  };
}
