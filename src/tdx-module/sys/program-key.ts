import { TDX_KEY_GENERATION_FAILED, TDX_RND_NO_ENTROPY } from '../../spec/status.ts';
import type { LeafContext } from '../context.ts';
import { ensure } from '../status.ts';

const ENTROPY_STATUS = { KEY_GENERATION_FAILED: TDX_KEY_GENERATION_FAILED, RND_NO_ENTROPY: TDX_RND_NO_ENTROPY } as const;

/** PCONFIG with a random key on this package: ends the leaf with the entropy status (knob `module.entropyCode`) when the CPU has no entropy. */
export const programRandomKey = (ctx: LeafContext, keyId: number): void => {
  const { module, lp, name } = ctx;
  ensure(module.entropy.available(name), ENTROPY_STATUS[module.knobs['module.entropyCode']]);
  const failure = lp.pconfig(keyId, 'random');
  if (failure !== 0) throw new Error(`PCONFIG refused KeyID ${keyId}, which the module had checked (status ${failure})`);
};

/** This LP's package as a bit of a package bitmap. */
export const packageBit = (ctx: LeafContext): bigint => 1n << BigInt(ctx.lp.package);
