import { Kernel, kthread_run } from '../../src/linux/index.ts';
import {
  GPR,
  type LogicalProcessor,
  Platform,
  type PlatformOptions,
  type SeamSoftware,
  type Software,
  smallMap,
} from '../../src/platform/index.ts';
import { FEATURES0, MD_MAX_VCPUS_PER_TD } from '../../src/spec/features.ts';
import type { KnobValue } from '../../src/spec/knob.ts';
import { RESERVED_AREA, TDMR_INFO } from '../../src/spec/layouts.ts';
import { TDH } from '../../src/spec/leaves.ts';
import { MD_SYS } from '../../src/spec/metadata.ts';
import { PT } from '../../src/spec/states.ts';
import {
  TDX_KEY_CONFIGURED,
  TDX_METADATA_FIELD_NOT_READABLE,
  TDX_OPERAND_INVALID,
  TDX_SUCCESS,
  TDX_SYS_BUSY,
  TDX_SYS_INIT_NOT_PENDING,
  TDX_SYS_LP_INIT_DONE,
  TDX_SYS_NOT_READY,
} from '../../src/spec/status.ts';

const MiB = 2 ** 20;

export interface FakeCall {
  readonly leaf: bigint;
  readonly lp: number;
  readonly package: number;
  readonly start: number;
  end: number;
  status: bigint;
}

interface Script {
  readonly status: bigint;
  skip: number;
  count: number;
}

export interface TdmrAsRead {
  readonly at: number;
  readonly base: number;
  readonly size: number;
  readonly pamt: Readonly<Record<'4k' | '2m' | '1g', { readonly base: number; readonly size: number }>>;
  readonly reserved: readonly { readonly offset: number; readonly size: number }[];
  done: number;
}

/**
 * A scripted stand-in for the TDX module: enough of TDH.SYS.* to let Linux initialise, and any status that a test wants.
 * For error paths that the real module cannot be made to take; end-to-end tests use the real one.
 */
export class FakeSeam implements SeamSoftware {
  readonly calls: FakeCall[] = [];
  readonly fields = new Map<bigint, bigint>([
    [MD_SYS.MINOR_VERSION, 5n],
    [MD_SYS.MAJOR_VERSION, 1n],
    [MD_SYS.UPDATE_VERSION, 1n],
    [MD_SYS.TDX_FEATURES0, FEATURES0.NO_RBP_MOD],
    [MD_SYS.MAX_TDMRS, 64n],
    [MD_SYS.MAX_RESERVED_PER_TDMR, 16n],
    [MD_SYS.PAMT_4K_ENTRY_SIZE, 16n],
    [MD_SYS.PAMT_2M_ENTRY_SIZE, 16n],
    [MD_SYS.PAMT_1G_ENTRY_SIZE, 16n],
    [MD_SYS.TDR_BASE_SIZE, 4096n],
    [MD_SYS.TDCS_BASE_SIZE, 24576n],
    [MD_SYS.TDVPS_BASE_SIZE, 24576n],
    [MD_SYS.ATTRIBUTES_FIXED0, 0n],
    [MD_SYS.ATTRIBUTES_FIXED1, 0n],
    [MD_SYS.XFAM_FIXED0, 0n],
    [MD_SYS.XFAM_FIXED1, 0n],
    [MD_SYS.NUM_CPUID_CONFIG, 1n],
    [MD_MAX_VCPUS_PER_TD, 64n],
    [MD_SYS.CPUID_CONFIG_LEAVES, 1n],
    [MD_SYS.CPUID_CONFIG_VALUES, 2n],
    [MD_SYS.CPUID_CONFIG_VALUES + 1n, 3n],
  ]);
  tdmrs: TdmrAsRead[] = [];
  /** MiB of TDMR that one TDH.SYS.TDMR.INIT does. */
  step = 256 * MiB;
  readonly #scripts = new Map<bigint, Script>();
  readonly #lps = new Set<number>();
  readonly #packages = new Set<number>();
  #initialized = false;
  #busy = false;
  #keyId = 0;

  /** Lets a leaf fail: `count` calls after `skip`. */
  fail(leaf: bigint, status: bigint, { skip = 0, count = Infinity } = {}): this {
    this.#scripts.set(leaf, { status, skip, count });
    return this;
  }

  count(leaf: bigint): number {
    return this.calls.filter((call) => call.leaf === leaf).length;
  }

  *call(lp: LogicalProcessor): Software {
    const leaf = lp.gpr[GPR.RAX]!;
    const call: FakeCall = { leaf, lp: lp.id, package: lp.package, start: lp.now, end: lp.now, status: 0n };
    this.calls.push(call);
    call.status = this.#scripted(leaf) ?? (yield* this.#leaf(lp, leaf));
    call.end = lp.now;
    lp.gpr[GPR.RAX] = call.status;
  }

  #scripted(leaf: bigint): bigint | undefined {
    const script = this.#scripts.get(leaf);
    if (!script) return undefined;
    if (script.skip-- > 0) return undefined;
    return script.count-- > 0 ? script.status : undefined;
  }

  *#leaf(lp: LogicalProcessor, leaf: bigint): Software<bigint> {
    switch (leaf) {
      case TDH.SYS_INIT:
        if (this.#initialized) return TDX_SYS_INIT_NOT_PENDING;
        this.#initialized = true;
        return TDX_SUCCESS;
      case TDH.SYS_LP_INIT:
        if (this.#lps.has(lp.id)) return TDX_SYS_LP_INIT_DONE;
        this.#lps.add(lp.id);
        return TDX_SUCCESS;
      case TDH.SYS_RD:
        return this.#read(lp);
      case TDH.SYS_CONFIG:
        return this.#config(lp);
      case TDH.SYS_KEY_CONFIG:
        return yield* this.#keyConfig(lp);
      case TDH.SYS_TDMR_INIT:
        return this.#tdmrInit(lp);
      case TDH.PHYMEM_PAGE_RDMD:
        return this.#rdmd(lp);
      case TDH.SYS_LP_SHUTDOWN:
        return TDX_SUCCESS;
      default:
        return TDX_OPERAND_INVALID;
    }
  }

  #read(lp: LogicalProcessor): bigint {
    const value = this.fields.get(lp.gpr[GPR.RDX]!);
    if (value === undefined) return TDX_METADATA_FIELD_NOT_READABLE;
    lp.gpr[GPR.R8] = value;
    return TDX_SUCCESS;
  }

  #config(lp: LogicalProcessor): bigint {
    const array = Number(lp.gpr[GPR.RCX]!);
    this.#keyId = Number(lp.gpr[GPR.R8]!);
    for (let i = 0; i < Number(lp.gpr[GPR.RDX]!); i++) this.tdmrs.push(readTdmr(lp, Number(lp.load64(array + i * 8))));
    return TDX_SUCCESS;
  }

  *#keyConfig(lp: LogicalProcessor): Software<bigint> {
    if (this.#busy) return TDX_SYS_BUSY;
    this.#busy = true;
    yield 'lock';
    this.#busy = false;
    if (this.#packages.has(lp.package)) return TDX_KEY_CONFIGURED;
    this.#packages.add(lp.package);
    lp.pconfig(this.#keyId, 'random');
    lp.spend(10_000);
    return TDX_SUCCESS;
  }

  #tdmrInit(lp: LogicalProcessor): bigint {
    if (this.#packages.size < lp.platform.packages) return TDX_SYS_NOT_READY;
    const tdmr = this.tdmrs.find(({ base }) => BigInt(base) === lp.gpr[GPR.RCX]);
    if (!tdmr) return TDX_OPERAND_INVALID;
    const entries = this.step / 4096;
    lp.movdir64bFill(tdmr.pamt['4k'].base + (tdmr.done / 4096) * 16, entries * 16, this.#keyId);
    tdmr.done += this.step;
    lp.gpr[GPR.RDX] = BigInt(tdmr.base + Math.floor(tdmr.done / 2 ** 30) * 2 ** 30);
    return TDX_SUCCESS;
  }

  #rdmd(lp: LogicalProcessor): bigint {
    const pa = Number(lp.gpr[GPR.RCX]!);
    const inPamt = this.tdmrs.some(({ pamt }) => pa >= pamt['4k'].base && pa < pamt['1g'].base + pamt['1g'].size);
    lp.gpr[GPR.RCX] = BigInt(inPamt ? PT.RSVD : PT.NDA);
    return TDX_SUCCESS;
  }
}

const readTdmr = (lp: LogicalProcessor, at: number): TdmrAsRead => {
  const bytes = lp.loadBytes(at, TDMR_INFO.SIZE);
  const span = (base: typeof TDMR_INFO.BASE, size: typeof TDMR_INFO.BASE) => ({
    base: base.getNumber(bytes),
    size: size.getNumber(bytes),
  });
  const { RESERVED_AREAS } = TDMR_INFO;
  const reserved = Array.from({ length: RESERVED_AREAS.count }, (_, i) => ({
    offset: RESERVED_AREA.OFFSET.getNumber(bytes, RESERVED_AREAS.at(i)),
    size: RESERVED_AREA.LENGTH.getNumber(bytes, RESERVED_AREAS.at(i)),
  }));
  return {
    at,
    ...span(TDMR_INFO.BASE, TDMR_INFO.LENGTH),
    pamt: {
      '4k': span(TDMR_INFO.PAMT_4K_BASE, TDMR_INFO.PAMT_4K_SIZE),
      '2m': span(TDMR_INFO.PAMT_2M_BASE, TDMR_INFO.PAMT_2M_SIZE),
      '1g': span(TDMR_INFO.PAMT_1G_BASE, TDMR_INFO.PAMT_1G_SIZE),
    },
    reserved: reserved.filter(({ size }) => size > 0),
    done: 0,
  };
};

export interface Bench {
  readonly platform: Platform;
  readonly seam: FakeSeam;
  readonly kernel: Kernel;
}

/** The small machine with the scripted module behind SEAMRR and a kernel that has not booted. */
export const bench = (knobs: Readonly<Record<string, KnobValue>> = {}, options: PlatformOptions = {}): Bench => {
  const platform = new Platform({
    memoryMap: smallMap,
    lpsPerPackage: 2,
    knobs: { 'hw.cache.sets': 256, ...knobs },
    ...options,
  });
  const seam = new FakeSeam();
  if (platform.knobs['bios.seamrr'] === 'on') platform.seam.range = platform.map.seamrr;
  if (platform.knobs['bios.seamModule'] === 'loaded') platform.seam.module = seam;
  return { platform, seam, kernel: new Kernel(platform, { 'kernel.earlierUse': 'recent', 'kernel.dirtyLines': 64, ...knobs }) };
};

/** Runs software on a CPU of a kernel to its end. */
export const run = <T>(kernel: Kernel, software: (cpu: Kernel['cpus'][number]) => Software<T>, cpu = 0): T => {
  const task = kthread_run(kernel.cpus[cpu]!, 'test', software(kernel.cpus[cpu]!));
  kernel.platform.scheduler.run([task]);
  if (task.state !== 'done') throw new Error(`the thread did not end: ${task.state} ${JSON.stringify(task.outcome)}`);
  return task.outcome as T;
};

export const boot = (kernel: Kernel): number => run(kernel, (cpu) => kernel.start_kernel(cpu));
