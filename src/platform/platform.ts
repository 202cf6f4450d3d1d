import { createCore } from '../../bindings/index.ts';
import type { CoreConfig, MemoryCore } from '../../bindings/memory-core.ts';
import { type KnobValue, readKnobs } from '../spec/knob.ts';
import { KEYID_SHIFT } from './address.ts';
import { NativeCpuid } from './cpuid.ts';
import { Dma } from './dma.ts';
import { EventLog } from './events.ts';
import { HostView } from './host-view.ts';
import { type PlatformKnobs, platformKnobs } from './knobs.ts';
import { LogicalProcessor } from './logical-processor.ts';
import { type MemoryMap, overlaps, referenceMap } from './memory-map.ts';
import { MsrFile } from './msr.ts';
import { definePlatformMsrs } from './platform-msrs.ts';
import { RandomStream } from './random.ts';
import { ReportOperation } from './report.ts';
import { Scheduler } from './scheduler.ts';
import { SeamPort } from './seam.ts';
import type { Software } from './software.ts';
import { Vmx } from './vmx.ts';

export interface PlatformOptions {
  /** 64-bit seed of every random stream. Default 1. */
  readonly seed?: bigint;
  /** Knob vector; names that the platform does not know are other layers'. */
  readonly knobs?: Readonly<Record<string, KnobValue>>;
  /** Default: {@link referenceMap}. */
  readonly memoryMap?: MemoryMap;
  /** Default 2. */
  readonly packages?: number;
  /** Logical processors a package. Default 4. */
  readonly lpsPerPackage?: number;
  /** Scheduler steps in which no thread begins or ends after which a run throws RunStuck. Default DEFAULT_STEP_BUDGET. */
  readonly stepBudget?: number;
}

const SHARED_KEYIDS = 15;
const ERRATUM_MODELS: readonly string[] = ['SPR', 'EMR'];

/** The hardware, powered on: packages, logical processors, memory, keys, SEAM port. It knows nothing of the software it runs. */
export class Platform {
  readonly seed: bigint;
  readonly knobs: PlatformKnobs;
  readonly map: MemoryMap;
  readonly packages: number;
  readonly core: MemoryCore;
  readonly lps: readonly LogicalProcessor[];
  readonly msrs = new MsrFile();
  readonly cpuid: NativeCpuid;
  readonly seam = new SeamPort();
  readonly vmx = new Vmx();
  readonly dma: Dma;
  /** The CPU's report operation, with its key. */
  readonly report: ReportOperation;
  readonly events = new EventLog();
  readonly hostView = new HostView();
  readonly scheduler: Scheduler;
  /** X86_BUG_TDX_PW_MCE as the silicon has it. */
  readonly hasPartialWriteErratum: boolean;
  /** KeyIDs 1..sharedKeyIds are MKTME's; from firstPrivateKeyId on they are TDX's. */
  readonly sharedKeyIds = SHARED_KEYIDS;
  readonly firstPrivateKeyId = SHARED_KEYIDS + 1;
  readonly lastKeyId: number;

  constructor(options: PlatformOptions = {}) {
    this.seed = options.seed ?? 1n;
    this.knobs = readKnobs(platformKnobs, options.knobs ?? {});
    this.map = options.memoryMap ?? referenceMap;
    this.packages = options.packages ?? 2;
    this.hasPartialWriteErratum = erratum(this.knobs);
    this.lastKeyId = SHARED_KEYIDS + (this.knobs['bios.tdx'] === 'on' ? this.knobs['bios.tdxKeyIds'] : 0);
    this.core = createCore(this.#coreConfig());
    const count = this.packages * (options.lpsPerPackage ?? 4);
    this.lps = Array.from({ length: count }, (_, id) => new LogicalProcessor(this, id, Math.floor(id / (count / this.packages))));
    this.cpuid = new NativeCpuid(this);
    this.dma = new Dma(this);
    this.report = new ReportOperation(this.random('report'));
    const choices = this.knobs['hw.schedule'] === 'seeded' ? this.random('scheduler') : null;
    this.scheduler = new Scheduler(this.lps, choices, options.stepBudget);
    definePlatformMsrs(this);
  }

  /** A random stream of its own for one purpose. */
  random(purpose: string): RandomStream {
    return new RandomStream(this.seed, purpose);
  }

  isPrivateKeyId(keyId: number): boolean {
    return keyId >= this.firstPrivateKeyId && keyId <= this.lastKeyId;
  }

  /** NUMA node (= package) whose controller owns the address; -1 where no DRAM is wired. */
  nodeOf(pa: number): number {
    return this.map.dram.find((range) => pa >= range.base && pa < range.base + range.size)?.node ?? -1;
  }

  isDram(base: number, size: number): boolean {
    return this.map.dram.some((range) => overlaps(range, { base, size }));
  }

  /** Sends an interrupt: `handler` runs on the target when it can be interrupted; its clock is not before the sender's. */
  interrupt(from: LogicalProcessor, target: LogicalProcessor, handler: () => Software): void {
    const sent = from.now;
    target.pendingInterrupts.push(() => {
      target.joinTime(sent);
      return handler();
    });
  }

  /** Platform reset. Cold: DRAM loses everything. Warm: DRAM stays as it is (TD bits and poison too). SEAM must be loaded anew. */
  reset(kind: 'cold' | 'warm'): void {
    for (const lp of this.lps) {
      this.scheduler.drop(lp);
      lp.stopped = '';
      lp.mode = 'root';
      lp.vmxOn = false;
      lp.interruptsEnabled = true;
      lp.gpr.fill(0n);
      this.core.invept(lp.id);
    }
    if (kind === 'cold') this.core.coldReset();
    else this.core.warmReset();
    this.seam.module = null;
    this.seam.seamldr = null;
    this.seam.shutdownBy = null;
    this.seam.lostLp = null;
    this.seam.range = null;
  }

  #coreConfig(): CoreConfig {
    const { knobs } = this;
    return {
      seed: this.seed,
      packages: this.packages,
      maxPhysAddrBits: KEYID_SHIFT,
      numSharedKeyIds: SHARED_KEYIDS,
      numPrivateKeyIds: this.lastKeyId - SHARED_KEYIDS,
      homes: this.map.dram.map(({ base, size, node }) => ({ base, size, package: node })),
      integrity: knobs['hw.integrity'],
      sharedIntegrity: knobs['hw.sharedIntegrity'] === 'on',
      macBits: knobs['hw.macBits'],
      tdBit: knobs['hw.tdBit'] === 'on',
      checkOrder: knobs['hw.checkOrder'],
      unprogrammedKey: knobs['hw.unprogrammedKey'],
      partialWriteErratum: this.hasPartialWriteErratum,
      aesBits: knobs['hw.aesBits'] === '256' ? 256 : 128,
      cacheSets: knobs['hw.cache.sets'],
      cacheWays: knobs['hw.cache.ways'],
      cachePolicy: knobs['hw.cache.policy'],
      crypto: knobs['hw.crypto'],
      provenance: knobs['hw.provenance'] === 'on',
    };
  }
}

const erratum = (knobs: PlatformKnobs): boolean => {
  const knob = knobs['cpu.erratum.pwMce'];
  return knob === 'by-model' ? ERRATUM_MODELS.includes(knobs['cpu.model']) : knob === 'on';
};
