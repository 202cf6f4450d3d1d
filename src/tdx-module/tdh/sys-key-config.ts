import { endOf, type Software } from '../../platform/index.ts';
import { SYS_STATE } from '../../spec/states.ts';
import { TDX_KEY_CONFIGURED, TDX_SUCCESS, TDX_SYS_BUSY, TDX_SYS_KEY_CONFIG_NOT_PENDING } from '../../spec/status.ts';
import type { LeafContext } from '../context.ts';
import type { TdxModule } from '../module.ts';
import { BUSY, ensure } from '../status.ts';
import { packageBit, programRandomKey } from '../sys/program-key.ts';

/** TDH.SYS.KEY.CONFIG: the global key on this LP's package; the last package makes the module READY. */
export function* sysKeyConfig(ctx: LeafContext): Software<bigint> {
  const { module, lp } = ctx;
  ctx.locks.acquire(module.globalLock, 'exclusive', TDX_SYS_BUSY);
  yield 'lock';
  ensure(module.state === SYS_STATE.SYSCONFIG_DONE, TDX_SYS_KEY_CONFIG_NOT_PENDING);
  ensure((module.packageBitmap & packageBit(ctx)) === 0n, TDX_KEY_CONFIGURED);
  ctx.locks.acquire(module.keyTables[lp.package]!, 'exclusive', BUSY.KET);
  programRandomKey(ctx, module.globalKeyId);
  module.packageBitmap |= packageBit(ctx);
  if (hasAllKeys(module)) module.state = SYS_STATE.READY;
  return TDX_SUCCESS;
}

/** Which packages READY waits for: all that MCHECK counted, unless a what-if knob says otherwise. */
const hasAllKeys = (module: TdxModule): boolean => {
  if (module.knobs['module.requireAllPackages'] === 'false') return true;
  const wanted =
    module.knobs['module.keyConfig'] === 'only-packages-with-pamt'
      ? packagesWithPamt(module)
      : (1n << BigInt(module.sysInfo.totalPackages)) - 1n;
  return (module.packageBitmap & wanted) === wanted;
};

const packagesWithPamt = ({ tdmrs, platform }: TdxModule): bigint => {
  let bitmap = 0n;
  for (const { node, ...dram } of platform.map.dram) {
    const holdsPamt = tdmrs.some(({ pamt }) => pamt.some((range) => range.base < endOf(dram) && dram.base < endOf(range)));
    if (holdsPamt) bitmap |= 1n << BigInt(node);
  }
  return bitmap;
};
