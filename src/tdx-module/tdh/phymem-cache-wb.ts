import type { Software } from '../../platform/index.ts';
import { MSR } from '../../spec/msr.ts';
import { KOT_STATE } from '../../spec/states.ts';
import {
  TDX_INTERRUPTED_RESUMABLE,
  TDX_NO_HKID_READY_TO_WBCACHE,
  TDX_SUCCESS,
  TDX_WBCACHE_RESUME_ERROR,
} from '../../spec/status.ts';
import type { LeafContext } from '../context.ts';
import type { CacheWriteBack } from '../module.ts';
import { BUSY, ensure, INVALID } from '../status.ts';
import { packageBit } from '../sys/program-key.ts';

const START = 0n;
const RESUME = 1n;

/** TDH.PHYMEM.CACHE.WB: writes this package's caches back, sub-block by sub-block, until done or interrupted. */
export function* phymemCacheWb(ctx: LeafContext): Software<bigint> {
  const { module, lp } = ctx;
  ensure(ctx.rcx <= RESUME, INVALID.RCX);
  ctx.locks.acquire(module.writeBackLocks[lp.package]!, 'exclusive', BUSY.WBCACHE);
  ctx.locks.acquire(module.kot.lock, 'shared', BUSY.KOT);
  yield 'lock';
  const work = ctx.rcx === START ? start(ctx) : module.writeBacks[lp.package]!;
  ensure(work !== null, TDX_WBCACHE_RESUME_ERROR);
  while (work.block < module.native!.cacheBlocks) {
    lp.wrmsr(MSR.IA32_WBNOINVDP, BigInt(work.block++));
    yield 'pause';
    if (work.block < module.native!.cacheBlocks && lp.rdmsr(MSR.IA32_INTR_PENDING) !== 0n) return TDX_INTERRUPTED_RESUMABLE;
  }
  for (const keyId of work.keyIds) module.kot.at(keyId).wbinvdBitmap &= ~packageBit(ctx);
  module.writeBacks[lp.package] = null;
  return TDX_SUCCESS;
}

/** Forgets a saved interruption point. Only KeyIDs that are FLUSHED now will count as written back. */
const start = ({ module, lp }: LeafContext): CacheWriteBack => {
  module.writeBacks[lp.package] = null;
  const keyIds = module.kot.inState(KOT_STATE.FLUSHED);
  ensure(keyIds.length > 0, TDX_NO_HKID_READY_TO_WBCACHE);
  const work: CacheWriteBack = { block: 0, keyIds };
  module.writeBacks[lp.package] = work;
  return work;
};
