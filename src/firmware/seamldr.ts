import { sha384 } from '@noble/hashes/sha2.js';
import {
  GPR,
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
    const pages = SEAMLDR_PARAMS.NUM_MODULE_PAGES.getNumber(params);
    if (SEAMLDR_PARAMS.SCENARIO.get(params) !== LOAD || pages < 1 || pages > MAX_MODULE_PAGES) return SEAMLDR_STATUS.EBADPARAM;
    this.#arrived.add(lp.id);
    if (this.#arrived.size < this.#info.totalLps) return SEAMLDR_STATUS.SUCCESS;
    this.#load(lp, params, pages);
    return SEAMLDR_STATUS.SUCCESS;
  }

  #load(lp: LogicalProcessor, params: Uint8Array, pages: number): void {
    const hash = sha384.create();
    for (let page = 0; page < pages; page++)
      hash.update(lp.loadBytes(SEAMLDR_PARAMS.MODULE_PAGES.getNumber(params, 8 * page), PAGE));
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
    const rcx = lp.gpr[GPR.RCX]!;
    const pa = Number(rcx);
    return rcx < 1n << 46n && pa % alignment === 0 && !this.#platform.seam.covers(pa) ? pa : null;
  }
}
