import { TDVF, TDVF_DESCRIPTOR } from '../../spec/tdvf.ts';
import { FirmwareError, hex } from './errors.ts';
import { GUID_BYTES, hasGuid } from './guid.ts';
import {
  FIXED_POINTER,
  GUID_ENTRY_TAIL,
  GUID_TABLE_END,
  OVMF_TABLE_FOOTER_GUID,
  TDX_METADATA_OFFSET_GUID,
  viewOf,
} from './layout.ts';

/** Where the descriptor is, in bytes from the beginning of the image, and by which of the two documented ways it was found. */
export interface TdvfLocation {
  readonly via: 'guid-table' | 'fixed-pointer';
  readonly offset: number;
}

const NOT_TDVF =
  'give a whole image, VARS then CODE, of a firmware built with TDX support (Debian package ovmf: /usr/share/ovmf/OVMF.fd)';

/**
 * Finds the TDVF descriptor of an image of at least one page.
 * The offset that comes back may still lie outside the image when the GUIDed table says so (negative, or too close to the end).
 */
export function locateDescriptor(image: Uint8Array): TdvfLocation {
  const fromEnd = offsetFromGuidTable(image);
  if (fromEnd !== undefined) return { via: 'guid-table', offset: image.length - fromEnd };
  const fixed = viewOf(image).getUint32(image.length - FIXED_POINTER, true);
  if (fixed + TDVF_DESCRIPTOR.SIZE <= image.length && TDVF_DESCRIPTOR.Signature.get(image, fixed) === TDVF.SIGNATURE) {
    return { via: 'fixed-pointer', offset: fixed };
  }
  throw new FirmwareError(
    'no-tdvf-metadata',
    `no TDVF metadata at the end of the image (cut short, or not for TDX): ${NOT_TDVF}`,
  );
}

/** The TDX metadata offset in OVMF's GUIDed table; undefined without the table or without that entry. */
function offsetFromGuidTable(image: Uint8Array): number | undefined {
  const view = viewOf(image);
  const footer = image.length - GUID_TABLE_END - GUID_BYTES;
  if (!hasGuid(image, footer, OVMF_TABLE_FOOTER_GUID)) return undefined;
  const tableEnd = footer - 2;
  const tableBytes = view.getUint16(tableEnd, true);
  const tableStart = footer + GUID_BYTES - tableBytes;
  if (tableBytes < GUID_ENTRY_TAIL || tableStart < 0) throw corrupt(`its length is ${tableBytes} bytes`);

  for (let end = tableEnd; end > tableStart; ) {
    const entryBytes = end - tableStart < GUID_ENTRY_TAIL ? 0 : view.getUint16(end - GUID_ENTRY_TAIL, true);
    const start = end - entryBytes;
    if (entryBytes < GUID_ENTRY_TAIL || start < tableStart) {
      throw corrupt(`the entry that ends at offset ${hex(end)} does not fit in it`);
    }
    if (hasGuid(image, end - GUID_BYTES, TDX_METADATA_OFFSET_GUID)) {
      if (entryBytes !== GUID_ENTRY_TAIL + 4)
        throw corrupt(`its TDX metadata entry is ${entryBytes} bytes, not ${GUID_ENTRY_TAIL + 4}`);
      return view.getUint32(start, true);
    }
    end = start;
  }
  return undefined;
}

function corrupt(what: string): FirmwareError {
  return new FirmwareError('guid-table-corrupt', `the GUIDed table at the end of the image is corrupt (${what}): ${NOT_TDVF}`);
}
