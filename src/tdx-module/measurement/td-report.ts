import { REPORTMACSTRUCT, TDINFO_STRUCT, TDREPORT_STRUCT } from '../../spec/layouts.ts';

/** REPORTMACSTRUCT.TYPE of TDX. */
export const REPORT_TYPE_TDX = 0x81;

/** What TDINFO_STRUCT says about a TD; byte arrays are 48 bytes. */
export interface TdInfo {
  readonly attributes: bigint;
  readonly xfam: bigint;
  readonly mrtd: Uint8Array;
  readonly mrConfigId: Uint8Array;
  readonly mrOwner: Uint8Array;
  readonly mrOwnerConfig: Uint8Array;
  readonly rtmr: readonly Uint8Array[];
  readonly servTdHash: Uint8Array;
}

export function tdInfoStruct(info: TdInfo): Uint8Array {
  const out = new Uint8Array(TDINFO_STRUCT.SIZE);
  TDINFO_STRUCT.ATTRIBUTES.set(out, info.attributes);
  TDINFO_STRUCT.XFAM.set(out, info.xfam);
  TDINFO_STRUCT.MRTD.set(out, info.mrtd);
  TDINFO_STRUCT.MRCONFIGID.set(out, info.mrConfigId);
  TDINFO_STRUCT.MROWNER.set(out, info.mrOwner);
  TDINFO_STRUCT.MROWNERCONFIG.set(out, info.mrOwnerConfig);
  for (const [i, value] of info.rtmr.entries()) TDINFO_STRUCT.RTMR.set(out, i, value);
  TDINFO_STRUCT.SERVTD_HASH.set(out, info.servTdHash);
  return out;
}

/** The three parts of TDREPORT_STRUCT at their places. */
export function tdReport(reportMac: Uint8Array, teeTcbInfo: Uint8Array, tdInfo: Uint8Array): Uint8Array {
  const out = new Uint8Array(TDREPORT_STRUCT.SIZE);
  TDREPORT_STRUCT.REPORTMACSTRUCT.set(out, reportMac);
  TDREPORT_STRUCT.TEE_TCB_INFO.set(out, teeTcbInfo);
  TDREPORT_STRUCT.TDINFO_STRUCT.set(out, tdInfo);
  return out;
}

const zero = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0);

/** Is it a TDX REPORTMACSTRUCT with its reserved fields zero? */
export const isReportMacStruct = (bytes: Uint8Array): boolean =>
  REPORTMACSTRUCT.TYPE.get(bytes) === REPORT_TYPE_TDX &&
  REPORTMACSTRUCT.SUBTYPE.get(bytes) === 0 &&
  REPORTMACSTRUCT.VERSION.get(bytes) <= 1 &&
  REPORTMACSTRUCT.RESERVED_3.get(bytes) === 0 &&
  zero(REPORTMACSTRUCT.RESERVED_4.get(bytes)) &&
  zero(REPORTMACSTRUCT.RESERVED_192.get(bytes));
