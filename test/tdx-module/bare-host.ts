import { type FirmwareReport, powerOn } from '../../src/firmware/index.ts';
import { GPR, type LogicalProcessor, type MemoryMap, Platform, smallMap } from '../../src/platform/index.ts';
import type { KnobValue } from '../../src/spec/knob.ts';
import { TDMR_INFO } from '../../src/spec/layouts.ts';
import { TDH } from '../../src/spec/leaves.ts';
import { statusName, TDX_SUCCESS } from '../../src/spec/status.ts';
import { TdxModule } from '../../src/tdx-module/index.ts';

export const GIB = 2 ** 30;
export const MIB = 2 ** 20;
export const PAGE = 4096;
const LEVELS = ['4K', '2M', '1G'] as const;
const SHIFTS = { '4K': 12, '2M': 21, '1G': 30 } as const;

export interface TdmrOptions {
  readonly base: number | bigint;
  readonly size: number | bigint;
  /** Where the PAMTs start, one after the other 4K, 2M, 1G; or each of its own. */
  readonly pamt: number;
  readonly pamtRanges?: Partial<Record<(typeof LEVELS)[number], readonly [base: number | bigint, size: number | bigint]>>;
  /** Offset and size. */
  readonly reserved?: readonly (readonly [number | bigint, number | bigint])[];
}

/** TDMR_INFO bytes. */
export const tdmrInfo = ({ base, size, pamt, pamtRanges = {}, reserved = [] }: TdmrOptions): Uint8Array => {
  const info = new Uint8Array(512);
  TDMR_INFO.BASE.set(info, BigInt(base));
  TDMR_INFO.LENGTH.set(info, BigInt(size));
  let at = pamt;
  for (const level of LEVELS) {
    const bytes = Math.ceil(((Number(size) / 2 ** SHIFTS[level]) * 16) / PAGE) * PAGE;
    const [rangeBase, rangeSize] = pamtRanges[level] ?? [at, bytes];
    TDMR_INFO[`PAMT_${level}_BASE`].set(info, BigInt(rangeBase));
    TDMR_INFO[`PAMT_${level}_SIZE`].set(info, BigInt(rangeSize));
    at += bytes;
  }
  const view = new DataView(info.buffer);
  reserved.forEach(([offset, length], j) => {
    view.setBigUint64(TDMR_INFO.RESERVED_AREAS.at(j), BigInt(offset), true);
    view.setBigUint64(TDMR_INFO.RESERVED_AREAS.at(j) + 8, BigInt(length), true);
  });
  return info;
};

export interface Answer {
  readonly status: bigint;
  readonly name: string;
  readonly rcx: bigint;
  readonly rdx: bigint;
  readonly r8: bigint;
  readonly r9: bigint;
  readonly r10: bigint;
}

type Input = Partial<Record<'rcx' | 'rdx' | 'r8' | 'r9', number | bigint>>;

/** A platform that came out of firmware with a module that nobody has called yet, and a host that executes SEAMCALL on its LPs. */
export class BareHost {
  readonly platform: Platform;
  readonly firmware: FirmwareReport;
  #buffers = 64 * MIB;

  constructor(knobs: Readonly<Record<string, KnobValue>> = {}, memoryMap: MemoryMap = smallMap, lpsPerPackage = 2) {
    this.platform = new Platform({ seed: 3n, memoryMap, packages: 2, lpsPerPackage, knobs });
    const [bsp] = this.platform.lps;
    const boot = this.platform.scheduler.spawn(
      bsp!,
      'firmware',
      powerOn(this.platform, { createModule: (info) => new TdxModule(this.platform, info, knobs) }),
    );
    if (!this.platform.scheduler.run([boot])) throw new Error('firmware hangs');
    this.firmware = boot.outcome as FirmwareReport;
    for (const lp of this.platform.lps) lp.vmxon();
  }

  get module(): TdxModule {
    return this.platform.seam.module as TdxModule;
  }
  get lps(): readonly LogicalProcessor[] {
    return this.platform.lps;
  }
  /** The first LP of a package. */
  on(pkg: number): LogicalProcessor {
    return this.lps.find((lp) => lp.package === pkg)!;
  }

  /** Sets the registers and starts the SEAMCALL without running it to its end. */
  start(leaf: keyof typeof TDH | bigint, input: Input = {}, lp = this.lps[0]!) {
    this.#load(typeof leaf === 'bigint' ? leaf : TDH[leaf], input, lp);
    return this.platform.scheduler.spawn(lp, String(leaf), lp.seamcall());
  }

  call(leaf: keyof typeof TDH | bigint, input: Input = {}, lp = this.lps[0]!): Answer {
    const task = this.start(leaf, input, lp);
    this.platform.scheduler.run([task]);
    if (task.state === 'failed') throw task.outcome;
    return this.answer(lp);
  }

  /** A SEAMCALL that has taken its locks and stands still; the returned function lets it go on to its end. */
  enter(leaf: keyof typeof TDH, input: Input, lp: LogicalProcessor): () => Answer {
    this.#load(TDH[leaf], input, lp);
    const call = lp.seamcall();
    while (call.next().value !== 'lock');
    return () => {
      while (!call.next().done);
      return this.answer(lp);
    };
  }

  #load(rax: bigint, input: Input, lp: LogicalProcessor): void {
    lp.gpr.fill(0x5a5an);
    for (const register of ['rcx', 'rdx', 'r8', 'r9'] as const)
      lp.gpr[GPR[register.toUpperCase() as 'RCX']] = BigInt(input[register] ?? 0);
    lp.gpr[GPR.RAX] = rax;
  }

  answer(lp: LogicalProcessor): Answer {
    const { gpr } = lp;
    return {
      status: gpr[GPR.RAX]!,
      name: statusName(gpr[GPR.RAX]!),
      rcx: gpr[GPR.RCX]!,
      rdx: gpr[GPR.RDX]!,
      r8: gpr[GPR.R8]!,
      r9: gpr[GPR.R9]!,
      r10: gpr[GPR.R10]!,
    };
  }

  ok(leaf: keyof typeof TDH, input: Input = {}, lp = this.lps[0]!): Answer {
    const answer = this.call(leaf, input, lp);
    if (answer.status !== TDX_SUCCESS) throw new Error(`TDH.${leaf}: ${answer.name}`);
    return answer;
  }

  /** Host memory with these bytes, page aligned. */
  buffer(bytes: Uint8Array): number {
    const at = this.#buffers;
    this.#buffers += Math.ceil(bytes.length / PAGE) * PAGE;
    this.lps[0]!.storeBytes(at, bytes);
    return at;
  }

  /** SYS.INIT and LP.INIT on every LP. */
  initLps(): this {
    this.ok('SYS_INIT');
    for (const lp of this.lps) this.ok('SYS_LP_INIT', {}, lp);
    return this;
  }

  /** The array of pointers that SYS.CONFIG wants. */
  tdmrArray(...tdmrs: readonly TdmrOptions[]): number {
    const array = new Uint8Array(PAGE);
    const view = new DataView(array.buffer);
    for (const [i, tdmr] of tdmrs.entries()) view.setBigUint64(8 * i, BigInt(this.buffer(tdmrInfo(tdmr))), true);
    return this.buffer(array);
  }

  config(...tdmrs: readonly TdmrOptions[]): Answer {
    return this.call('SYS_CONFIG', { rcx: this.tdmrArray(...tdmrs), rdx: tdmrs.length, r8: this.platform.firstPrivateKeyId });
  }

  /** The key on every package: READY. */
  keys(): this {
    for (const lp of this.lps) lp.wbinvd();
    for (let pkg = 0; pkg < this.platform.packages; pkg++) this.ok('SYS_KEY_CONFIG', {}, this.on(pkg));
    return this;
  }
}

/** On the small map: the first GiB of node 1, its PAMTs in the second. */
export const GOOD_TDMR: TdmrOptions = { base: 4 * GIB, size: GIB, pamt: 5 * GIB };
