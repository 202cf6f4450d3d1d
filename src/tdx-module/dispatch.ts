import { GPR, type LogicalProcessor, type Software } from '../platform/index.ts';
import { TDH_AFTER_SHUTDOWN, TDH_BEFORE_READY, TDH_VERSIONS, TDH_VERSIONS_1_5_KVM } from '../spec/leaves.ts';
import { SYS_STATE } from '../spec/states.ts';
import { TDX_SYS_NOT_READY, TDX_SYS_SHUTDOWN } from '../spec/status.ts';
import { LeafContext } from './context.ts';
import type { TdxModule } from './module.ts';
import { ensure, INVALID, LeafStatus } from './status.ts';
import { LEAVES, type LeafEntry } from './tdh/table.ts';

const LEAF_MASK = 0xffffn;
const VERSION_SHIFT = 16n;
const VERSION_MASK = 0xffn;
const RESERVED_SHIFT = 24n;

/** One SEAMCALL to the module: entry checks, the leaf, RAX. Locks are released on a returned status, and only then. */
export function* dispatch(module: TdxModule, lp: LogicalProcessor): Software {
  module.lpsInside++;
  lp.gpr[GPR.RAX] = yield* answer(module, lp, lp.gpr[GPR.RAX]!);
  module.lpsInside--;
}

function* answer(module: TdxModule, lp: LogicalProcessor, rax: bigint): Software<bigint> {
  let ctx: LeafContext | null = null;
  let status: bigint;
  try {
    const entry = admit(module, rax);
    const injected = module.faults.take(entry.name);
    if (injected !== null) return injected;
    ctx = new LeafContext(module, lp, entry.name, Number((rax >> VERSION_SHIFT) & VERSION_MASK));
    status = yield* entry.leaf(ctx);
  } catch (thrown) {
    if (!(thrown instanceof LeafStatus)) throw thrown;
    status = thrown.status;
  }
  ctx?.locks.releaseAll();
  return status;
}

/** leaf-checks.md §0, in order. */
const admit = (module: TdxModule, rax: bigint): LeafEntry => {
  ensure(rax >> RESERVED_SHIFT === 0n, INVALID.RAX);
  const leaf = rax & LEAF_MASK;
  const versions = module.knobs['module.profile'] === '1.5.01' ? TDH_VERSIONS : TDH_VERSIONS_1_5_KVM;
  ensure(rax >> VERSION_SHIFT <= BigInt(versions.get(leaf) ?? 0), INVALID.RAX);
  ensure(module.state !== SYS_STATE.SHUTDOWN || TDH_AFTER_SHUTDOWN.has(leaf), TDX_SYS_SHUTDOWN);
  ensure(module.state >= SYS_STATE.READY || TDH_BEFORE_READY.has(leaf), TDX_SYS_NOT_READY);
  const entry = LEAVES.get(leaf);
  ensure(entry !== undefined, INVALID.RAX);
  return entry;
};
