import { REPORTMACSTRUCT, TDCS, TDREPORT_STRUCT } from '../../spec/layouts.ts';
import { MSR } from '../../spec/msr.ts';
import { OPERAND, TDX_OPERAND_BUSY_HOST_PRIORITY, TDX_SUCCESS } from '../../spec/status.ts';
import { sha384 } from '../hash/sha384.ts';
import { REPORT_TYPE_TDX, tdInfoStruct, tdReport } from '../measurement/td-report.ts';
import { BUSY, ensure, INVALID } from '../status.ts';
import type { Tdcs } from '../td/tdcs.ts';
import { type GuestLeaf, TdcallStopped } from './context.ts';
import { anyOperand } from './memory.ts';

const REPORT_DATA = REPORTMACSTRUCT.REPORTDATA.size;

/** TDG.MR.REPORT: a TDREPORT that this platform can verify. */
export const mrReport: GuestLeaf = function* (ctx) {
  const { tdcs, lp, module, rcx, rdx, r8 } = ctx;
  ensure(rcx % BigInt(TDREPORT_STRUCT.SIZE) === 0n, INVALID.RCX);
  ensure(rdx % BigInt(REPORT_DATA) === 0n, INVALID.RDX);
  const data = anyOperand(ctx, 'RDX', rdx, 'read');
  const reportData = lp.loadBytes(data.pa, REPORT_DATA, data.keyId);
  ensure(r8 === 0n, INVALID.R8);
  ctx.locks.acquire(tdcs.rtmrLock, 'shared', BUSY.RTMR, TDX_OPERAND_BUSY_HOST_PRIORITY | OPERAND.RTMR);
  yield 'lock';
  if (lp.rdmsr(MSR.IA32_INTR_PENDING) !== 0n) throw new TdcallStopped(null);
  const tdInfo = readTdInfo(tdcs);
  const teeInfoHash = cachedHash(tdcs, tdInfo);
  const { report } = module.platform;
  const mac = report.report({ type: REPORT_TYPE_TDX, subtype: 0, version: servTdVersion(tdcs), teeInfoHash, reportData });
  const target = anyOperand(ctx, 'RCX', rcx, 'write');
  lp.storeBytes(target.pa, tdReport(mac, report.teeTcbInfo(), tdInfo), target.keyId);
  return TDX_SUCCESS;
};

/** REPORTMACSTRUCT.VERSION is 1 with bound service TDs. */
const servTdVersion = (tdcs: Tdcs): number => (tdcs.get(TDCS.SERVTD_NUM) === 0 ? 0 : 1);

const readTdInfo = (tdcs: Tdcs): Uint8Array =>
  tdInfoStruct({
    attributes: tdcs.get(TDCS.ATTRIBUTES),
    xfam: tdcs.get(TDCS.XFAM),
    mrtd: tdcs.get(TDCS.MRTD),
    mrConfigId: tdcs.get(TDCS.MRCONFIGID),
    mrOwner: tdcs.get(TDCS.MROWNER),
    mrOwnerConfig: tdcs.get(TDCS.MROWNERCONFIG),
    rtmr: Array.from({ length: TDCS.RTMR.count }, (_, i) => tdcs.get(TDCS.RTMR.item(i))),
    servTdHash: tdcs.get(TDCS.SERVTD_HASH),
  });

/** TEE_INFO_HASH, kept in the TDCS until an RTMR changes. */
function cachedHash(tdcs: Tdcs, tdInfo: Uint8Array): Uint8Array {
  if (tdcs.get(TDCS.TEE_INFO_HASH_VALID) !== 0) return tdcs.get(TDCS.TEE_INFO_HASH);
  const hash = sha384(tdInfo);
  tdcs.set(TDCS.TEE_INFO_HASH, hash);
  tdcs.set(TDCS.TEE_INFO_HASH_VALID, 1);
  return hash;
}
