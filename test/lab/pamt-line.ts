/** One PAMT line that a host CPU of the other package dirtied through KeyID 0 before the module had it, with every eviction in our hands. */
import type { KnobVector } from '../../src/lab/knobs.ts';
import type { Machine } from '../../src/lab/machine.ts';
import { pamtRanges, tdh_phymem_page_rdmd } from '../../src/linux/index.ts';
import { Attacker } from '../../src/platform/index.ts';
import type { FaultRecord } from '../../src/platform/probe.ts';
import { poweredOn } from './world.ts';

/** Nothing dirty but what the test writes, and a cache that evicts nothing by itself. */
const CALM: KnobVector = {
  'kernel.dirtyLines': 0,
  'kernel.dirtyPages': 0,
  'kernel.workingSet': 0,
  'hw.cache.sets': 0,
  'kernel.wbinvdBeforeKeyConfig': 'off',
};
/** A CPU of package 1; Linux starts the module on CPU 0. */
const EARLIER_USER = 5;
const HOST_VALUE = 0x6f6c_6420_6461_7461n;

export type Verdict =
  | { readonly ends: 'alive'; readonly status: bigint; readonly pageType: number }
  | { readonly ends: 'shutdown'; readonly fault: FaultRecord };

export class PamtLine {
  readonly machine: Machine;
  readonly attacker: Attacker;
  pa = -1;
  /** A page that the line describes. */
  page = -1;

  /** Boots Linux; `beforeInit` runs between TDH.SYS.CONFIG and whatever the kernel does about its caches. */
  constructor(knobs: KnobVector = {}, beforeInit: (line: PamtLine) => void = () => {}) {
    this.machine = poweredOn({ ...CALM, ...knobs });
    this.attacker = new Attacker(this.machine.platform);
    this.machine.platform.events.subscribe(({ name }, edge) => {
      if (name !== 'TDH.SYS.CONFIG' || edge !== 'end') return;
      this.#dirty();
      beforeInit(this);
    });
    const booted = this.machine.bootLinux();
    if (booted.kind !== 'returned' || booted.value !== 0) throw new Error(`Linux ended as ${booted.kind}`);
  }

  get globalKeyId(): number {
    return this.machine.kernel!.tdx.globalKeyId;
  }

  /** Evicts the host's copy. False when it is no longer there. */
  evictHost(): boolean {
    return this.attacker.evict(1, this.pa, 0);
  }

  /** Evicts the module's copy, wherever it is. */
  evictModule(): boolean {
    return [0, 1].map((pkg) => this.attacker.evict(pkg, this.pa, this.globalKeyId)).includes(true);
  }

  /** The module walks the PAMT for the page: TDH.PHYMEM.PAGE.RDMD. */
  read(): Verdict {
    const ending = this.machine.onCpu(0, 'RDMD', (cpu) => tdh_phymem_page_rdmd(cpu, this.page));
    if (ending.kind === 'returned') return { ends: 'alive', ...ending.value };
    return { ends: 'shutdown', fault: this.machine.probe.seamShutdown()!.fault };
  }

  #dirty(): void {
    const { tdmrs } = this.machine.kernel!.tdx;
    const { base, size, pamt } = tdmrs.at(-1)!;
    this.pa = pamt['4k'].base + pamt['4k'].size / 2;
    this.page = base + size / 2;
    if (!pamtRanges(tdmrs).some((range) => this.pa >= range.base && this.pa < range.base + range.size))
      throw new Error('no PAMT line');
    const lp = this.machine.platform.lps[EARLIER_USER]!;
    const event = lp.beginEvent('memory', 'earlier user writes');
    lp.store64(this.pa, HOST_VALUE);
    lp.endEvent(event);
    this.machine.platform.lps[0]!.resumeEvent();
  }
}
