import { raw, u16, u32, u64 } from '../spec/field.ts';

/**
 * Parameters of SEAMLDR.INSTALL, 4 KiB aligned. The public P-SEAMLDR specification names these fields; the signature structure
 * is not modelled (assumed: BIOS loads an image that P-SEAMLDR accepts).
 */
export const SEAMLDR_PARAMS = {
  SIZE: 4096,
  VERSION: u32(0),
  /** 0 = load, 1 = update. */
  SCENARIO: u32(4),
  SIGSTRUCT_PA: u64(8),
  NUM_MODULE_PAGES: u64(120),
  /** Physical addresses of the image's pages, in order; up to 496. */
  MODULE_PAGES: u64(128),
} as const;

/** Output of SEAMLDR.INFO, 256-byte aligned. */
export const SEAMLDR_INFO = {
  SIZE: 256,
  VERSION: u32(0),
  ATTRIBUTES: u32(4),
  VENDOR_ID: u32(8),
  BUILD_DATE: u32(12),
  BUILD_NUM: u16(16),
  MINOR_VERSION: u16(18),
  MAJOR_VERSION: u16(20),
  /** 48 bytes: measurement of the module that is loaded, zeros if none. */
  MRSEAM: raw(64, 48),
} as const;

/** Completion codes of P-SEAMLDR (assumed values: bit 63 set, a small number). */
export const SEAMLDR_STATUS = {
  SUCCESS: 0n,
  EBADPARAM: 0x8000_0000_0000_0000n,
  EBADCALL: 0x8000_0000_0000_0003n,
  EMODBUSY: 0x8000_0000_0001_0001n,
} as const;
