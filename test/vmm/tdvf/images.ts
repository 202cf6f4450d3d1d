/** Images for the tests: Debian's real ones, and small ones built to order. */
import { existsSync, readFileSync } from 'node:fs';
import { describe } from 'vitest';
import { buildTdvf, MR_EXTEND, SECTION_TYPE, type TdvfSectionRecord } from '../../../src/vmm/tdvf/index.ts';

export const OVMF = '/usr/share/ovmf/OVMF.fd';
export const OVMF_VARS_MS = '/usr/share/OVMF/OVMF_VARS.ms.fd';
export const OVMF_CODE_SECBOOT = '/usr/share/OVMF/OVMF_CODE.secboot.fd';

const missing = [OVMF, OVMF_VARS_MS, OVMF_CODE_SECBOOT].filter((path) => !existsSync(path));
const required = process.env.SEAMLINE_REQUIRE_OVMF === '1';
if (missing.length > 0 && !required) {
  console.warn(`skipped: ${missing.join(', ')} missing; apt-get install ovmf (SEAMLINE_REQUIRE_OVMF=1 makes this a failure)`);
}

/** Runs with Debian's package ovmf. Without it: skipped with a printed reason, or failing when it is required. */
export const describeOvmf = missing.length > 0 && !required ? describe.skip : describe;

/** One file, or several one after the other. */
export function readImage(...paths: string[]): Uint8Array {
  return Buffer.concat(paths.map((path) => readFileSync(path)));
}

export const IMAGE_BYTES = 0x8000;
const BFV_OFFSET = 0x2000;

/** A section record from plain numbers. */
export function section(type: number, fields: Partial<Record<keyof TdvfSectionRecord, number>> = {}): TdvfSectionRecord {
  const { dataOffset = 0, rawDataSize = 0, memoryAddress = 0, memoryDataSize = 0x1000, attributes = 0 } = fields;
  return {
    type,
    dataOffset,
    rawDataSize,
    memoryAddress: BigInt(memoryAddress),
    memoryDataSize: BigInt(memoryDataSize),
    attributes,
  };
}

export const bfv = (fields: Parameters<typeof section>[1] = {}) =>
  section(SECTION_TYPE.BFV, {
    dataOffset: BFV_OFFSET,
    rawDataSize: IMAGE_BYTES - BFV_OFFSET,
    memoryAddress: 2 ** 32 - IMAGE_BYTES + BFV_OFFSET,
    memoryDataSize: IMAGE_BYTES - BFV_OFFSET,
    attributes: MR_EXTEND,
    ...fields,
  });
export const cfv = (fields: Parameters<typeof section>[1] = {}) =>
  section(SECTION_TYPE.CFV, {
    rawDataSize: BFV_OFFSET,
    memoryAddress: 2 ** 32 - IMAGE_BYTES,
    memoryDataSize: BFV_OFFSET,
    ...fields,
  });
export const tdHob = (fields: Parameters<typeof section>[1] = {}) =>
  section(SECTION_TYPE.TD_HOB, { memoryAddress: 0x809000, memoryDataSize: 0x2000, ...fields });
export const tempMem = (fields: Parameters<typeof section>[1] = {}) =>
  section(SECTION_TYPE.TEMP_MEM, { memoryAddress: 0x800000, memoryDataSize: 0x6000, ...fields });

/** A 32 KiB image with distinct contents in every 256 bytes. */
export function image(sections: readonly TdvfSectionRecord[], locator: 'guid-table' | 'fixed-pointer' | 'none' = 'guid-table') {
  const pattern = Uint8Array.from({ length: IMAGE_BYTES }, (_, i) => (i >> 8) ^ (i * 7));
  return buildTdvf({ size: IMAGE_BYTES, sections, locator, contents: new Map([[0, pattern]]) });
}

export const validImage = () => image([bfv(), cfv(), tempMem(), tdHob()]);
