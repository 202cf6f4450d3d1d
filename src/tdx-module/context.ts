import { GPR, type LogicalProcessor, type Software } from '../platform/index.ts';
import type { TDH } from '../spec/leaves.ts';
import { LockScope } from './lock/scope.ts';
import type { TdxModule } from './module.ts';
import { ensure } from './status.ts';

export type TdhName = keyof typeof TDH;

/**
 * One leaf: checks in the order of leaf-checks.md, each by {@link ensure} or a helper that ends the leaf with its status;
 * returns the completion status, outputs go to the context's registers. After taking its locks it yields `'lock'` once.
 */
export type Leaf = (ctx: LeafContext) => Software<bigint>;

/** Leaves of one group by their names in spec/leaves. */
export type LeafTable = Partial<Readonly<Record<TdhName, Leaf>>>;

/** What a leaf works with: the LP it runs on, the module's globals, its locks, and registers in and out. */
export class LeafContext {
  readonly lp: LogicalProcessor;
  readonly module: TdxModule;
  readonly name: TdhName;
  /** Bits 23:16 of RAX. */
  readonly version: number;
  /** Released by the dispatcher, newest first, when the leaf returns a status. */
  readonly locks: LockScope;

  constructor(module: TdxModule, lp: LogicalProcessor, name: TdhName, version: number) {
    this.module = module;
    this.lp = lp;
    this.name = name;
    this.version = version;
    this.locks = new LockScope(lp);
  }

  get rcx(): bigint {
    return this.lp.gpr[GPR.RCX]!;
  }
  set rcx(value: bigint) {
    this.lp.gpr[GPR.RCX] = value;
  }
  get rdx(): bigint {
    return this.lp.gpr[GPR.RDX]!;
  }
  set rdx(value: bigint) {
    this.lp.gpr[GPR.RDX] = value;
  }
  get r8(): bigint {
    return this.lp.gpr[GPR.R8]!;
  }
  set r8(value: bigint) {
    this.lp.gpr[GPR.R8] = value;
  }
  get r9(): bigint {
    return this.lp.gpr[GPR.R9]!;
  }
  set r9(value: bigint) {
    this.lp.gpr[GPR.R9] = value;
  }
  get r10(): bigint {
    return this.lp.gpr[GPR.R10]!;
  }
  set r10(value: bigint) {
    this.lp.gpr[GPR.R10] = value;
  }
  get r11(): bigint {
    return this.lp.gpr[GPR.R11]!;
  }
  set r11(value: bigint) {
    this.lp.gpr[GPR.R11] = value;
  }

  /** RDRAND/RDSEED into `bytes` new bytes; ends the leaf with TDX_RND_NO_ENTROPY when the CPU has none. */
  random(bytes: number): Uint8Array {
    const value = this.module.entropy.draw(this.name, bytes);
    ensure(value !== null, this.module.entropy.status);
    return value;
  }
}
