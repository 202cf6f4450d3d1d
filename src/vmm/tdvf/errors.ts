/** What can be wrong with a firmware image, in the order in which the parser looks; the last three come from the TD HOB's builder and reader. */
export const FIRMWARE_ERROR_CODES = [
  'empty',
  'too-large',
  'truncated',
  'guid-table-corrupt',
  'no-tdvf-metadata',
  'descriptor-out-of-image',
  'bad-signature',
  'bad-version',
  'no-sections',
  'bad-length',
  'unknown-type',
  'code-without-vars',
  'section-out-of-image',
  'bad-attributes',
  'raw-data-missing',
  'raw-data-forbidden',
  'memory-forbidden',
  'memory-missing',
  'address-out-of-range',
  'unaligned',
  'raw-exceeds-memory',
  'duplicate-section',
  'missing-bfv',
  'missing-td-hob',
  'payload-missing',
  'td-info-outside-bfv',
  'memory-overlap',
  'too-much-memory',
  'no-reset-vector',
  'section-outside-ram',
  'hob-overrun',
  'hob-corrupt',
] as const;

export type FirmwareErrorCode = (typeof FIRMWARE_ERROR_CODES)[number];

/** A firmware image, or a TD HOB, that cannot be used. The message is one line: what is wrong, and what to do. */
export class FirmwareError extends Error {
  override readonly name = 'FirmwareError';
  readonly code: FirmwareErrorCode;

  constructor(code: FirmwareErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** What to type when VARS and CODE are separate files. */
export const PREPEND_VARS = 'prepend VARS: cat OVMF_VARS.fd OVMF_CODE.fd > OVMF.fd';

/** A number as messages and tables show it: `0x1e0000`. */
export function hex(value: number | bigint): string {
  return `0x${value.toString(16)}`;
}
