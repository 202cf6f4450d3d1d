import { REPORTMACSTRUCT } from '../../spec/layouts.ts';
import { TDX_INVALID_CPUSVN, TDX_INVALID_REPORTMACSTRUCT, TDX_SUCCESS } from '../../spec/status.ts';
import { isReportMacStruct } from '../measurement/td-report.ts';
import { ensure, INVALID } from '../status.ts';
import type { GuestLeaf } from './context.ts';
import { privateOperand } from './memory.ts';

/** TDG.MR.VERIFYREPORT: was this REPORTMACSTRUCT made on this platform? */
export const mrVerifyreport: GuestLeaf = function* (ctx) {
  const { lp, module, rcx } = ctx;
  ensure(rcx % BigInt(REPORTMACSTRUCT.SIZE) === 0n, INVALID.RCX);
  const source = privateOperand(ctx, 'RCX', rcx, 'read');
  const struct = lp.loadBytes(source.pa, REPORTMACSTRUCT.SIZE, source.keyId);
  ensure(isReportMacStruct(struct), TDX_INVALID_REPORTMACSTRUCT);
  const verdict = module.platform.report.verify(struct);
  ensure(verdict !== 'cpusvn', TDX_INVALID_CPUSVN);
  ensure(verdict === 'ok', TDX_INVALID_REPORTMACSTRUCT);
  return TDX_SUCCESS;
};
