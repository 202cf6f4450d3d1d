import {
  GPR,
  type LogicalProcessor,
  type Platform,
  type SeamSoftware,
  type Software,
  type SysInfoTable,
} from '../platform/index.ts';
import { u16, u32 } from '../spec/field.ts';
import { SEAMLDR } from '../spec/leaves.ts';

/** P-SEAMLDR completion statuses (as Linux's seamldr driver knows them; the numbers are assumed). */
const SUCCESS = 0n;
const EBADPARAM = 0x8000_0000_0000_0000n;
const EBADCALL = 0x8000_0000_0000_0003n;

/** SEAMLDR_INFO, 256 bytes, 256-byte aligned: the fields that Linux reads (assumed offsets). */
const SEAMLDR_INFO = {
  SIZE: 256,
  version: u32(0),
  attributes: u32(4),
  vendor_id: u32(8),
  build_date: u32(12),
  build_num: u16(16),
  minor: u16(18),
  major: u16(20),
} as const;
const INTEL = 0x8086;
const INFO_VERSION = 1;
const PARAMS_ALIGNMENT = 4096n;

/** Makes the module: plugged in by whoever composes the machine, so that firmware does not know its code. */
export type CreateModule = (table: SysInfoTable) => SeamSoftware;

/**
 * The persistent SEAM loader. Its state lies in the SEAM range. TDX modules here are code of Seamline's own, so INSTALL does not parse an
 * image; what it keeps is the protocol: one call on every LP, and the module is there when the last has made it.
 */
export class SeamLoader implements SeamSoftware {
  readonly #platform: Platform;
  readonly #table: SysInfoTable;
  readonly #createModule: CreateModule;
  readonly #installed = new Set<number>();
  readonly #leaves: ReadonlyMap<bigint, (lp: LogicalProcessor) => bigint> = new Map([
    [SEAMLDR.INFO, (lp: LogicalProcessor) => this.#info(lp)],
    [SEAMLDR.INSTALL, (lp: LogicalProcessor) => this.#install(lp)],
  ]);

  constructor(platform: Platform, table: SysInfoTable, createModule: CreateModule) {
    this.#platform = platform;
    this.#table = table;
    this.#createModule = createModule;
  }

  *call(lp: LogicalProcessor): Software {
    yield 'lock';
    const leaf = this.#leaves.get(lp.gpr[GPR.RAX]!);
    lp.gpr[GPR.RAX] = leaf ? leaf(lp) : EBADCALL;
  }

  /** SEAMLDR.INFO: RCX = shared address of the buffer. */
  #info(lp: LogicalProcessor): bigint {
    const buffer = lp.gpr[GPR.RCX]!;
    if (buffer % BigInt(SEAMLDR_INFO.SIZE) !== 0n || !this.#isHostMemory(buffer, SEAMLDR_INFO.SIZE)) return EBADPARAM;
    const bytes = new Uint8Array(SEAMLDR_INFO.SIZE);
    SEAMLDR_INFO.version.set(bytes, INFO_VERSION);
    SEAMLDR_INFO.vendor_id.set(bytes, INTEL);
    SEAMLDR_INFO.major.set(bytes, 1);
    SEAMLDR_INFO.minor.set(bytes, 5);
    lp.storeBytes(Number(buffer), bytes);
    return SUCCESS;
  }

  /** SEAMLDR.INSTALL: RCX = shared address of the parameters. Each LP once; the last one's call puts the module in place. */
  #install(lp: LogicalProcessor): bigint {
    const parameters = lp.gpr[GPR.RCX]!;
    if (parameters % PARAMS_ALIGNMENT !== 0n || !this.#isHostMemory(parameters, Number(PARAMS_ALIGNMENT))) return EBADPARAM;
    if (this.#platform.seam.module || this.#installed.has(lp.id)) return EBADCALL;
    this.#installed.add(lp.id);
    if (this.#installed.size === this.#table.totalLps) this.#platform.seam.module = this.#createModule(this.#table);
    return SUCCESS;
  }

  #isHostMemory(address: bigint, size: number): boolean {
    const pa = Number(address);
    return this.#platform.isDram(pa, size) && !this.#platform.seam.covers(pa);
  }
}
