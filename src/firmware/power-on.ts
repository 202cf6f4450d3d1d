import {
  Completion,
  GPR,
  type LogicalProcessor,
  type Platform,
  type Range,
  type Software,
  type SysInfoTable,
} from '../platform/index.ts';
import { SEAMLDR } from '../spec/leaves.ts';
import { type BiosConfiguration, configureBios } from './bios.ts';
import { mcheck } from './mcheck.ts';
import { type CreateModule, PSeamldr } from './seamldr.ts';
import { SEAMLDR_PARAMS, SEAMLDR_STATUS } from './seamldr-layouts.ts';

const PAGE = 4096;

export interface PowerOnOptions {
  /** Called by P-SEAMLDR when the last LP has asked for the module. */
  readonly createModule: CreateModule;
  /** The module's image, for MRSEAM; whole pages are loaded, the rest of the last one is zeros. Default: a short text. */
  readonly moduleImage?: Uint8Array;
}

/** How the platform came out of firmware. */
export interface FirmwareReport {
  /** SEAMRR is locked, MCHECK passed and P-SEAMLDR answers. */
  readonly tdxEnabled: boolean;
  /** P-SEAMLDR has installed the TDX module. */
  readonly moduleLoaded: boolean;
  /** Why TDX or the module is missing; empty if nothing is. */
  readonly reason: string;
  /** CMRs as MCHECK verified them; empty without TDX. */
  readonly cmrs: readonly Range[];
  readonly seamrr: Range | null;
  readonly sysInfo: SysInfoTable | null;
  /** Lines of the boot log. */
  readonly log: readonly string[];
}

/**
 * Firmware from reset to the OS: BIOS settings, MCHECK, P-SEAMLDR, and SEAMLDR.INSTALL on every LP. Runs on the bootstrap processor
 * (LP 0); the other LPs must be interruptible. Afterwards all LPs are outside VMX operation.
 */
export function* powerOn(platform: Platform, options: PowerOnOptions): Software<FirmwareReport> {
  const bsp = platform.lps[0]!;
  const event = bsp.beginEvent('phase', 'BIOS, MCHECK, P-SEAMLDR, TDX module');
  const report = yield* boot(platform, bsp, options);
  bsp.endEvent(event, report.reason === '' ? describe(report) : `failed: ${report.reason}`);
  return report;
}

const describe = ({ cmrs, seamrr }: FirmwareReport): string => {
  const gigabytes = cmrs.reduce((sum, { size }) => sum + size, 0) / 2 ** 30;
  return `${cmrs.length} CMRs, ${gigabytes.toFixed(1)} GiB; SEAMRR ${seamrr ? show(seamrr) : 'not set'}; P-SEAMLDR and module in place`;
};

const hex = (value: number): string => `0x${value.toString(16)}`;
const show = ({ base, size }: Range): string => `[${hex(base)}, ${hex(base + size)})`;

const withoutTdx = (platform: Platform, reason: string): FirmwareReport => {
  platform.seam.range = null;
  return {
    tdxEnabled: false,
    moduleLoaded: false,
    reason,
    cmrs: [],
    seamrr: null,
    sysInfo: null,
    log: [reason, 'TDX: not enabled'],
  };
};

function* boot(platform: Platform, bsp: LogicalProcessor, options: PowerOnOptions): Software<FirmwareReport> {
  const bios = configureBios(platform);
  if (!bios.tdxEnabled) return withoutTdx(platform, bios.reason);
  const checked = mcheck(platform, bios);
  if (!checked.ok) return withoutTdx(platform, checked.reason);
  const { table } = checked;
  platform.seam.seamldr = new PSeamldr(platform, table, options.createModule);
  const log = [
    `BIOS: SEAMRR ${show(table.seamrr)} locked`,
    ...table.cmrs.map((cmr) => `MCHECK: CMR ${show(cmr)} present`),
    'P-SEAMLDR loaded',
  ];
  const reason =
    platform.knobs['bios.seamModule'] === 'absent'
      ? 'BIOS: the TDX module is not installed'
      : yield* installModule(platform, bsp, bios, options);
  log.push(reason === '' ? 'P-SEAMLDR: TDX module installed' : reason);
  return { tdxEnabled: true, moduleLoaded: reason === '', reason, cmrs: table.cmrs, seamrr: table.seamrr, sysInfo: table, log };
}

const DEFAULT_IMAGE = new TextEncoder().encode('Seamline model of the Intel TDX module 1.5');

/** SEAMLDR.INSTALL on every LP; the reason of a failure, or nothing. */
function* installModule(
  platform: Platform,
  bsp: LogicalProcessor,
  bios: BiosConfiguration,
  options: PowerOnOptions,
): Software<string> {
  const params = bios.scratch.base;
  writeParams(bsp, params, options.moduleImage ?? DEFAULT_IMAGE);
  let failure = '';
  for (const lp of platform.lps) {
    yield* onLp(platform, bsp, lp, function* () {
      lp.vmxon();
      lp.gpr[GPR.RAX] = SEAMLDR.INSTALL;
      lp.gpr[GPR.RCX] = BigInt(params);
      yield* lp.seamcall();
      lp.vmxoff();
      const status = lp.gpr[GPR.RAX];
      if (status !== SEAMLDR_STATUS.SUCCESS) failure ||= `SEAMLDR.INSTALL on LP ${lp.id}: 0x${status.toString(16)}`;
    });
  }
  return failure;
}

/** The parameter page, then the image's pages, in BIOS's own memory; nothing stays dirty in a cache. */
const writeParams = (bsp: LogicalProcessor, at: number, image: Uint8Array): void => {
  const pages = Math.max(1, Math.ceil(image.length / PAGE));
  const params = new Uint8Array(SEAMLDR_PARAMS.SIZE);
  SEAMLDR_PARAMS.NUM_MODULE_PAGES.setNumber(params, pages);
  for (let page = 0; page < pages; page++) SEAMLDR_PARAMS.MODULE_PAGES.setNumber(params, at + (1 + page) * PAGE, 8 * page);
  const padded = new Uint8Array(pages * PAGE);
  padded.set(image);
  bsp.storeBytes(at, params);
  bsp.storeBytes(at + PAGE, padded);
  bsp.clflush(at, (1 + pages) * PAGE);
};

function* onLp(platform: Platform, bsp: LogicalProcessor, lp: LogicalProcessor, work: () => Software): Software {
  if (lp === bsp) return yield* work();
  const done = new Completion();
  platform.interrupt(bsp, lp, function* () {
    yield* work();
    done.complete(lp.now);
  });
  yield { what: `firmware on LP ${lp.id}`, ready: () => done.done };
  bsp.joinTime(done.at);
}
