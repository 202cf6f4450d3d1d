import { sha384 } from '@noble/hashes/sha2.js';
import {
  GPR,
  KEYID_SHIFT,
  type LogicalProcessor,
  type Platform,
  type SeamSoftware,
  type Software,
  type SysInfoTable,
} from '../platform/index.ts';
import { SEAMLDR } from '../spec/leaves.ts';
import { SEAMLDR_INFO, SEAMLDR_PARAMS, SEAMLDR_STATUS } from './seamldr-layouts.ts';

const PAGE = 4096;
const MAX_MODULE_PAGES = 496;
const LOAD = 0;
const MEASUREMENT_BYTES = 48;
const SVN_BYTES = 16;
const VENDOR_INTEL = 0x8086;

export type CreateModule = (info: SysInfoTable) => SeamSoftware;

type SeamldrLeaf = (lp: LogicalProcessor) => bigint;

/** P-SEAMLDR: loads the TDX module into the SEAM range once every LP has asked for it, and measures it. */
export class PSeamldr implements SeamSoftware {
  readonly #platform: Platform;
  readonly #info: SysInfoTable;
  readonly #createModule: CreateModule;
  /** LPs that have called INSTALL in this session. */
  readonly #arrived = new Set<number>();
  #mrSeam = new Uint8Array(MEASUREMENT_BYTES);
  readonly #leaves: ReadonlyMap<bigint, SeamldrLeaf> = new Map([
    [SEAMLDR.INFO, (lp) => this.#writeInfo(lp)],
    [SEAMLDR.INSTALL, (lp) => this.#install(lp)],
  ]);

  constructor(platform: Platform, info: SysInfoTable, createModule: CreateModule) {
    this.#platform = platform;
    this.#info = info;
    this.#createModule = createModule;
  }

  *call(lp: LogicalProcessor): Software {
    yield 'lock';
    const leaf = this.#leaves.get(lp.gpr[GPR.RAX]!);
    lp.gpr[GPR.RAX] = leaf ? leaf(lp) : SEAMLDR_STATUS.EBADCALL;
  }

  /** RCX: 256-byte aligned buffer. */
  #writeInfo(lp: LogicalProcessor): bigint {
    const pa = this.#buffer(lp, SEAMLDR_INFO.SIZE);
    if (pa === null) return SEAMLDR_STATUS.EBADPARAM;
    const info = new Uint8Array(SEAMLDR_INFO.SIZE);
    SEAMLDR_INFO.VENDOR_ID.set(info, VENDOR_INTEL);
    SEAMLDR_INFO.MAJOR_VERSION.set(info, 1);
    SEAMLDR_INFO.MINOR_VERSION.set(info, 5);
    SEAMLDR_INFO.MRSEAM.set(info, this.#mrSeam);
    lp.storeBytes(pa, info);
    return SEAMLDR_STATUS.SUCCESS;
  }

  /** RCX: SEAMLDR_PARAMS. The call of the last LP copies, measures and starts the module. */
  #install(lp: LogicalProcessor): bigint {
    const pa = this.#buffer(lp, PAGE);
    if (pa === null) return SEAMLDR_STATUS.EBADPARAM;
    if (this.#platform.seam.module) return SEAMLDR_STATUS.EMODBUSY;
    const params = lp.loadBytes(pa, SEAMLDR_PARAMS.SIZE);
    const pages = this.#modulePages(params);
    if (SEAMLDR_PARAMS.SCENARIO.get(params) !== LOAD || pages === null) return SEAMLDR_STATUS.EBADPARAM;
    this.#arrived.add(lp.id);
    if (this.#arrived.size < this.#info.totalLps) return SEAMLDR_STATUS.SUCCESS;
    this.#load(lp, pages);
    return SEAMLDR_STATUS.SUCCESS;
  }

  /** Addresses of the image's pages; null when there are too few or too many, or one is not a page outside SEAMRR. */
  #modulePages(params: Uint8Array): number[] | null {
    const count = SEAMLDR_PARAMS.NUM_MODULE_PAGES.get(params);
    if (count < 1n || count > BigInt(MAX_MODULE_PAGES)) return null;
    const pages = Array.from({ length: Number(count) }, (_, i) =>
      this.#address(SEAMLDR_PARAMS.MODULE_PAGES.get(params, 8 * i), PAGE),
    );
    return pages.every((page) => page !== null) ? pages : null;
  }

  #load(lp: LogicalProcessor, pages: readonly number[]): void {
    const hash = sha384.create();
    for (const page of pages) hash.update(lp.loadBytes(page, PAGE));
    this.#mrSeam = new Uint8Array(hash.digest());
    this.#platform.report.setSeamIdentity({
      mrSeam: this.#mrSeam,
      mrSignerSeam: new Uint8Array(MEASUREMENT_BYTES),
      attributes: 0n,
      svn: new Uint8Array(SVN_BYTES).fill(1, 0, 1),
    });
    this.#platform.seam.module = this.#createModule(this.#info);
    this.#arrived.clear();
  }

  #buffer(lp: LogicalProcessor, alignment: number): number | null {
    return this.#address(lp.gpr[GPR.RCX]!, alignment);
  }

  /** An aligned address without KeyID bits, outside SEAMRR; else null. */
  #address(value: bigint, alignment: number): number | null {
    const pa = Number(value);
    return value >> BigInt(KEYID_SHIFT) === 0n && pa % alignment === 0 && !this.#platform.seam.covers(pa) ? pa : null;
  }
}
