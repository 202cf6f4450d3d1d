import type { LogicalProcessor, VirtualCpu } from '../../platform/index.ts';
import { CONFIG_FLAGS, TDCS } from '../../spec/layouts.ts';
import type { LeafContext } from '../context.ts';
import type { TdxModule } from '../module.ts';
import { sharedBit } from '../sept/access.ts';
import { isDebugTd } from '../td/metadata.ts';
import type { Tdcs } from '../td/tdcs.ts';
import type { Tdr } from '../td/tdr.ts';
import type { Tdvps } from '../td/tdvps.ts';
import { VMCS_PAGE } from './registers.ts';

/** One TDH.VP.ENTER from entry to TD exit: the TD, the VCPU, and what SEAM keeps of the host meanwhile. */
export class TdRun {
  readonly ctx: LeafContext;
  readonly tdr: Tdr;
  readonly tdcs: Tdcs;
  readonly tdvps: Tdvps;
  /** Host RSP and RBP: they do not go through the TD. */
  readonly hostRsp: bigint;
  readonly hostRbp: bigint;
  /** RIP and time-stamp counter at this TD entry, for the stepping guard. */
  entryRip = 0n;
  entryTsc = 0n;

  constructor(ctx: LeafContext, tdr: Tdr, tdcs: Tdcs, tdvps: Tdvps, host: { readonly rsp: bigint; readonly rbp: bigint }) {
    this.ctx = ctx;
    this.tdr = tdr;
    this.tdcs = tdcs;
    this.tdvps = tdvps;
    this.hostRsp = host.rsp;
    this.hostRbp = host.rbp;
  }

  get lp(): LogicalProcessor {
    return this.ctx.lp;
  }
  get module(): TdxModule {
    return this.ctx.module;
  }
  /** The CPU's side of the VCPU. */
  get cpu(): VirtualCpu {
    return this.module.platform.vmx.vcpu(this.tdvps.page(VMCS_PAGE));
  }
  get isDebug(): boolean {
    return isDebugTd(this.tdcs);
  }
  get keepsRbp(): boolean {
    return (this.tdcs.get(TDCS.CONFIG_FLAGS) & CONFIG_FLAGS.NO_RBP_MOD) !== 0n;
  }

  isShared(gpa: bigint): boolean {
    return ((gpa >> BigInt(sharedBit(this.tdcs.get(TDCS.GPAW)))) & 1n) === 1n;
  }
}
