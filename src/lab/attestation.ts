import { REPORTMACSTRUCT, TDINFO_STRUCT, TDREPORT_STRUCT } from '../spec/layouts.ts';
import type { Attestation } from './report.ts';

const hex = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
const unhex = (text: string): Uint8Array => Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));

const RTMRS = 4;

/** The fields of a TDREPORT (1024 bytes in hex), as a verifier reads them. */
export function readTdReport(tdreport: string): Attestation {
  const bytes = unhex(tdreport);
  const mac = bytes.subarray(TDREPORT_STRUCT.REPORTMACSTRUCT.offset);
  const info = bytes.subarray(TDREPORT_STRUCT.TDINFO_STRUCT.offset);
  return {
    mrtd: hex(TDINFO_STRUCT.MRTD.get(info)),
    rtmrs: Array.from({ length: RTMRS }, (_, i) => hex(TDINFO_STRUCT.RTMR.get(info, i))),
    attributes: TDINFO_STRUCT.ATTRIBUTES.get(info),
    xfam: TDINFO_STRUCT.XFAM.get(info),
    mrConfigId: hex(TDINFO_STRUCT.MRCONFIGID.get(info)),
    mrOwner: hex(TDINFO_STRUCT.MROWNER.get(info)),
    mrOwnerConfig: hex(TDINFO_STRUCT.MROWNERCONFIG.get(info)),
    reportData: hex(REPORTMACSTRUCT.REPORTDATA.get(mac)),
    teeTcbInfoHash: hex(REPORTMACSTRUCT.TEE_TCB_INFO_HASH.get(mac)),
    teeInfoHash: hex(REPORTMACSTRUCT.TEE_INFO_HASH.get(mac)),
    mac: hex(REPORTMACSTRUCT.MAC.get(mac)),
  };
}
