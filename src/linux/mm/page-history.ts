import type { Cpu } from '../cpu.ts';
import type { Kernel } from '../kernel.ts';
import { PAGE_SIZE } from './memblock.ts';
import type { PageHistory } from './page-alloc.ts';

const LINE = 64;
/** At most this part of a contiguous allocation's lines is dirty. */
const DENSITY = 1 / 4;
/** What later users of the caches have left of the earlier users' dirty lines; each as likely as the others (assumed). */
const SHARES = [1, 1 / 16, 1 / 256, 1 / 4096, 0] as const;

/**
 * The earlier users of page frames, as far as the caches remember them: ordinary stores through KeyID 0 by CPUs of every package, whose lines
 * are still dirty when the frame is handed to somebody else. Seeded; who flushes at the right moment never notices.
 */
export class EarlierUsers implements PageHistory {
  readonly #kernel: Kernel;
  readonly #random;
  /** Lines of a contiguous allocation that are still dirty. */
  readonly #dirtyLines: number;
  readonly #events = new Map<number, number>();

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    this.#random = kernel.platform.random('page history');
    const { 'kernel.dirtyLines': lines, 'kernel.earlierUse': use } = kernel.knobs;
    const share = use === 'recent' ? 1 : SHARES[kernel.platform.random('earlier use').below(SHARES.length)]!;
    this.#dirtyLines = Math.floor(lines * share);
  }

  onAllocate(cpu: Cpu, base: number, size: number): void {
    const { knobs, generation } = this.#kernel;
    // After kexec the frames' history is what the old kernel really did.
    if (generation > 1) return;
    const lines = size / LINE;
    const contiguous = size > PAGE_SIZE;
    const dirty = contiguous
      ? Math.min(this.#dirtyLines, lines * DENSITY)
      : this.#random.below(100) < knobs['kernel.dirtyPages']
        ? 1
        : 0;
    for (let i = 0; i < dirty; i++) this.#write(base + this.#random.below(lines) * LINE);
    if (dirty > 0) cpu.lp.resumeEvent();
  }

  /** One store in the past, by the first CPU of a package. It costs nobody's time now. */
  #write(pa: number): void {
    const { platform } = this.#kernel;
    const { core } = platform;
    const pkg = this.#random.below(platform.packages);
    core.setEvent(this.#eventOf(pkg));
    core.mailbox.u64[0] = this.#random.next64();
    core.store(pkg, pa, 8, 0);
  }

  #eventOf(pkg: number): number {
    const known = this.#events.get(pkg);
    if (known !== undefined) return known;
    const { events, lps } = this.#kernel.platform;
    const lp = lps.find((candidate) => candidate.package === pkg)!;
    const event = events.begin(lp.id, 'memory', 'earlier user of the page frames writes through KeyID 0', lp.now, 0);
    events.end(event, lp.now);
    this.#events.set(pkg, event.id);
    return event.id;
  }
}

/** Lets every package's cache fill with the running kernel's own data, so that further traffic means evictions. */
export const fillCaches = (kernel: Kernel): void => {
  const { platform, knobs } = kernel;
  const { cacheSets, cacheWays } = platform.core.config;
  const pages = Math.floor((((cacheSets * cacheWays * LINE) / PAGE_SIZE) * knobs['kernel.workingSet']) / 100);
  if (pages === 0) return;
  for (const cpu of kernel.cpus.filter(
    (candidate, i, all) => all.findIndex((other) => other.package === candidate.package) === i,
  )) {
    const base = kernel.pages.alloc_contig_pages(cpu, pages, cpu.package, 'kernel');
    if (base === null) continue;
    const event = cpu.lp.beginEvent('memory', 'the kernel works on its own data', { bytes: pages * PAGE_SIZE });
    platform.core.fill(cpu.package, base, pages * PAGE_SIZE, 0, 0x6c69_6e75_7820_6b72n);
    cpu.lp.endEvent(event);
  }
};
