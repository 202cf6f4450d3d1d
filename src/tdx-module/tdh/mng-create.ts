import type { LogicalProcessor, Software } from '../../platform/index.ts';
import { TDR } from '../../spec/layouts.ts';
import { KOT_STATE, LIFECYCLE, PT } from '../../spec/states.ts';
import { TDX_HKID_NOT_FREE, TDX_SUCCESS } from '../../spec/status.ts';
import type { LeafContext } from '../context.ts';
import { PAGE_4K, privateKeyId } from '../operands.ts';
import { lockPage } from '../pamt/walk.ts';
import { BUSY, ensure } from '../status.ts';
import { Tdr } from '../td/tdr.ts';

const UUID_BYTES = 32;

/** TDH.MNG.CREATE: a TD root page, under the global KeyID, that owns a private KeyID. */
export function* mngCreate(ctx: LeafContext): Software<bigint> {
  const { module, lp } = ctx;
  const hkid = privateKeyId(ctx, 'RDX', ctx.rdx);
  const page = lockPage(ctx, 'RCX', ctx.rcx, 'exclusive', PT.NDA);
  ctx.locks.acquire(module.kot.lock, 'exclusive', BUSY.KOT);
  yield 'lock';
  const owner = module.kot.at(hkid);
  ensure(owner.state === KOT_STATE.FREE, TDX_HKID_NOT_FREE);

  lp.movdir64bFill(page.pa, PAGE_4K, module.globalKeyId);
  const tdr = new Tdr(lp, module.globalKeyId, page.pa);
  tdr.set(TDR.TD_UUID, ctx.random(UUID_BYTES));
  tdr.set(TDR.HKID, hkid);
  tdr.lifecycle = LIFECYCLE.HKID_ASSIGNED;
  noteUnkeyedHome(lp, page.pa, module.packageBitmap);

  owner.state = KOT_STATE.ASSIGNED;
  owner.wbinvdBitmap = 0n;
  page.entry.assign(PT.TDR, 0);
  return TDX_SUCCESS;
}

/** A TDR needs the global key where it lies, not where PAMT lies: only a what-if knob lets a package go without. */
const noteUnkeyedHome = (lp: LogicalProcessor, tdr: number, packageBitmap: bigint): void => {
  const node = lp.platform.nodeOf(tdr);
  if (node < 0 || (packageBitmap & (1n << BigInt(node))) !== 0n) return;
  const event = lp.beginEvent(
    'log',
    `TDR 0x${tdr.toString(16)}: package ${node} has no global key, only its TME key protects it`,
    { package: node },
  );
  lp.endEvent(event, 'unkeyed-package');
};
