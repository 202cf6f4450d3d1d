import { MachineCheck } from '../../platform/index.ts';
import type { Cpu } from '../cpu.ts';
import { PAGE_SIZE } from './memblock.ts';
import { clear_page } from './page-alloc.ts';

/** Where anonymous mappings begin; each is followed by an unmapped page, so that an overrun faults. */
const MMAP_BASE = 0x7f00_0000_0000;
const OWNER = 'user';

interface Vma {
  readonly start: number;
  readonly end: number;
  /** Page addresses of a file mapping; null for anonymous memory, populated at first touch. */
  readonly file: readonly number[] | null;
}

/** Address space of a process: page-granular, populated on demand with zeroed pages. */
export class Mm {
  readonly #vmas: Vma[] = [];
  readonly #pages = new Map<number, number>();
  #next = MMAP_BASE;

  /** Reserves virtual addresses; `file` gives the pages of a file mapping. */
  mmap(length: number, file: readonly number[] | null = null): number {
    const start = this.#next;
    const end = start + Math.ceil(length / PAGE_SIZE) * PAGE_SIZE;
    this.#vmas.push({ start, end, file });
    this.#next = end + PAGE_SIZE;
    return start;
  }

  /** The physical page behind a virtual address, populated if need be; null where nothing is mapped or no memory is left. */
  fault(cpu: Cpu, va: number): number | null {
    const page = Math.floor(va / PAGE_SIZE);
    const present = this.#pages.get(page);
    if (present !== undefined) return present;
    const vma = this.#vmas.find(({ start, end }) => va >= start && va < end);
    if (!vma) return null;
    const base = vma.file ? (vma.file[page - vma.start / PAGE_SIZE] ?? null) : this.#anonymous(cpu);
    if (base !== null) this.#pages.set(page, base);
    return base;
  }

  /** Frees every anonymous page. */
  exit_mmap(cpu: Cpu): void {
    const { pages } = cpu.kernel;
    const mapped = new Set(this.#vmas.flatMap(({ file }) => file ?? []));
    for (const base of this.#pages.values()) if (!mapped.has(base)) pages.__free_page(base);
    this.#pages.clear();
    this.#vmas.length = 0;
  }

  #anonymous(cpu: Cpu): number | null {
    const base = cpu.kernel.pages.alloc_page(cpu, OWNER);
    if (base !== null) clear_page(cpu, base);
    return base;
  }
}

type Piece = (pa: number, offset: number, length: number) => void;

/** Calls `piece` for each page's part of [va, va + length). False when an address is not mapped. */
const forEachPage = (cpu: Cpu, mm: Mm, va: number, length: number, piece: Piece): boolean => {
  for (let offset = 0; offset < length; ) {
    const inPage = (va + offset) % PAGE_SIZE;
    const size = Math.min(PAGE_SIZE - inPage, length - offset);
    const page = mm.fault(cpu, va + offset);
    if (page === null) return false;
    piece(page + inPage, offset, size);
    offset += size;
  }
  return true;
};

/** Reads virtual memory through the CPU; null where it is not mapped. */
export const readVirtual = (cpu: Cpu, mm: Mm, va: number, length: number): Uint8Array | null => {
  const out = new Uint8Array(length);
  const mapped = forEachPage(cpu, mm, va, length, (pa, offset, size) => out.set(cpu.lp.loadBytes(pa, size), offset));
  return mapped ? out : null;
};

/** Writes virtual memory through the CPU; false where it is not mapped (what was mapped before it is written). */
export const writeVirtual = (cpu: Cpu, mm: Mm, va: number, bytes: Uint8Array): boolean =>
  forEachPage(cpu, mm, va, bytes.length, (pa, offset, size) => cpu.lp.storeBytes(pa, bytes.subarray(offset, offset + size)));

/** Runs a user copy of the kernel: a machine check in it is recoverable, the copy just fails. */
export const recoverable = <T>(copy: () => T, failed: T, onMachineCheck: (exception: MachineCheck) => void): T => {
  try {
    return copy();
  } catch (exception) {
    if (!(exception instanceof MachineCheck)) throw exception;
    onMachineCheck(exception);
    return failed;
  }
};
