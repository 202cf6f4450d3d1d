import { Completion, GPR, type LogicalProcessor, type Platform, type Range, type Software } from '../platform/index.ts';
import { SEAMLDR } from '../spec/leaves.ts';
import { biosCmrs, configureSeamrr } from './bios.ts';
import { mcheck } from './mcheck.ts';
import { type CreateModule, SeamLoader } from './seamldr.ts';

/** How far the platform's TDX support got. */
export interface FirmwareReport {
  readonly cmrs: readonly Range[];
  readonly seamldr: boolean;
  readonly module: boolean;
  /** Why TDX is not enabled; empty when it is. */
  readonly reason: string;
  /** Requirement S4-14: an erratum part must not offer fast warm reset. */
  readonly warnings: readonly string[];
}

/** Where BIOS keeps the parameters of SEAMLDR.INSTALL while it loads the module. */
const PARAMETERS = 0x8000;

/** From reset to the hand-over to an OS: BIOS, MCHECK, P-SEAMLDR and the module. Runs on the bootstrap LP. */
export function* powerOn(lp: LogicalProcessor, createModule: CreateModule): Software<FirmwareReport> {
  const { platform } = lp;
  const event = lp.beginEvent('phase', 'BIOS and MCHECK');
  configureSeamrr(platform);
  const cmrs = biosCmrs(platform);
  const warnings = missingWorkarounds(platform);
  const checked =
    platform.knobs['bios.tdx'] === 'on' ? mcheck(platform, cmrs) : ({ ok: false, reason: 'BIOS has TDX off' } as const);
  lp.endEvent(event, checked.ok ? '' : checked.reason);
  if (!checked.ok) return { cmrs, seamldr: false, module: false, reason: checked.reason, warnings };
  platform.seam.seamldr = new SeamLoader(platform, checked.table, createModule);
  if (platform.knobs['bios.seamModule'] === 'loaded') yield* installModule(lp);
  const module = platform.seam.module !== null;
  return { cmrs, seamldr: true, module, reason: module ? '' : 'no TDX module is installed', warnings };
}

/** BIOS sends every LP into P-SEAMLDR in turn. */
function* installModule(bsp: LogicalProcessor): Software {
  const event = bsp.beginEvent('phase', 'P-SEAMLDR installs the TDX module');
  for (const lp of bsp.platform.lps) {
    const done = new Completion();
    if (lp === bsp) yield* installOn(lp, done);
    else bsp.platform.interrupt(bsp, lp, () => installOn(lp, done));
    yield { what: `SEAMLDR.INSTALL on LP ${lp.id}`, ready: () => done.done };
    bsp.joinTime(done.at);
  }
  bsp.endEvent(event);
}

/** BIOS is in VMX operation only for the call. */
function* installOn(lp: LogicalProcessor, done: Completion): Software {
  lp.vmxon();
  lp.gpr[GPR.RAX] = SEAMLDR.INSTALL;
  lp.gpr[GPR.RCX] = BigInt(PARAMETERS);
  yield* lp.seamcall();
  lp.vmxoff();
  done.complete(lp.now);
}

const missingWorkarounds = ({ hasPartialWriteErratum, knobs }: Platform): readonly string[] =>
  hasPartialWriteErratum && knobs['bios.fastWarmReset'] === 'enabled'
    ? ['BIOS_MISSING_WORKAROUND: fast warm reset is enabled on a part with the partial-write erratum']
    : [];
