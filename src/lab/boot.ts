import { type Cpu, exercise_memory, type KexecReport, kexec_load, PAGE_SIZE, seamcall, seamcallErrno } from '../linux/index.ts';
import { MachineCheck, type Range, type Software } from '../platform/index.ts';
import { errnoName } from '../spec/errno.ts';
import { TDH } from '../spec/leaves.ts';
import { MD_SYS } from '../spec/metadata.ts';
import { statusName } from '../spec/status.ts';
import { readTdReport } from './attestation.ts';
import { findCauses } from './counterfactual.ts';
import { explain } from './explain.ts';
import { checkBootable, parseTdvf } from './firmware.ts';
import { useTdx, useTdxByKvm } from './first-user.ts';
import { fullVector, type KnobVector } from './knobs.ts';
import { type Ending, Machine, type MachineOptions } from './machine.ts';
import { type Audit, audit } from './main-audit.ts';
import { ConfidentialityWatch, type Finding } from './oracles/index.ts';
import { findProfile, type Phase, type Profile } from './profiles.ts';
import type { Attestation, BootReport, Verdict } from './report.ts';
import { type StepHooks, StepRecorder } from './steps.ts';
import { runTd, type TdOutcome } from './td-run.ts';
import { traceHash, writeTrace } from './trace/index.ts';

export interface BootOptions extends MachineOptions, StepHooks {
  /** Name of a profile; `knobs` are changes to it. */
  readonly profile: string;
  /** A TDVF image. */
  readonly firmware: { readonly name: string; readonly bytes: Uint8Array };
  /** Receives the Perfetto trace in pieces, after the run. */
  readonly trace?: (chunk: string) => void;
  /** After a machine check: replay with each deviating knob restored. Default true. */
  readonly counterfactual?: boolean;
}

/** Operations of the new kernel's workload after kexec. */
const WORKLOAD = 20_000;
/** Of random secrets that the guest keeps in private memory and the confidentiality oracle looks for. */
const SECRET_BYTES = 64;

/** A failure that ends the main job. */
type Failure = Omit<Verdict, 'kind'> & { readonly kind: 'errno' | 'mc' | 'panic' };

/**
 * The main job: power-on, Linux, KVM and a VMM, a TD that attests itself, teardown, kexec. Everything it reports was computed by the run.
 * Throws KnobError for a knob that does not exist, FirmwareError for a bad image, before anything runs.
 */
export function boot(options: BootOptions): BootReport {
  const profile = findProfile(options.profile);
  if (!profile) throw new RangeError(`there is no profile '${options.profile}'`);
  checkBootable(parseTdvf(options.firmware.bytes));
  const vector: KnobVector = { ...profile.knobs, ...options.knobs };
  const run = new MainJob(options, profile, vector);
  run.execute();
  const report = run.report();
  const chain = run.chain();
  if (options.trace) writeTrace(run.machine.probe.events.events, chain, options.trace);
  const causes =
    report.verdict.kind === 'mc' && options.counterfactual !== false
      ? findCauses(vector, profile.knobs, (restored) => stillFails(options, profile, restored))
      : [];
  return { ...report, chain, causes };
}

const stillFails = ({ seed, memoryMap, firmware, profile: name }: BootOptions, profile: Profile, vector: KnobVector): boolean => {
  const run = new MainJob({ seed, firmware, profile: name, ...(memoryMap && { memoryMap }) }, profile, vector);
  run.execute();
  return run.report().verdict.kind === 'mc';
};

class MainJob {
  readonly machine: Machine;
  readonly #options: BootOptions;
  readonly #profile: Profile;
  readonly #steps: StepRecorder;
  readonly #watch: ConfidentialityWatch;
  readonly #secrets = new Uint8Array(SECRET_BYTES);
  #failure: Failure | null = null;
  #machineCheck: MachineCheck | null = null;
  #td: TdOutcome | null = null;
  #audit: Audit | null = null;
  readonly #bus: Finding[] = [];
  readonly #kernelLog: string[] = [];

  constructor(options: BootOptions, profile: Profile, vector: KnobVector) {
    this.#options = options;
    this.#profile = profile;
    this.machine = new Machine({ ...options, knobs: vector });
    this.#steps = new StepRecorder(this.machine.probe.events, options);
    this.machine.platform.random('secrets').bytes(this.#secrets);
    this.#watch = new ConfidentialityWatch(this.machine.probe, new BigUint64Array(this.#secrets.buffer));
  }

  execute(): void {
    const phases = [() => this.#powerOn(), () => this.#linux(), () => this.#runTd(), () => this.#auditNow(), () => this.#kexec()];
    for (const phase of phases) {
      phase();
      if (this.#failure) break;
    }
    this.#steps.close();
    if (this.machine.platform.seam.shutdownBy) this.#aftermath();
    if (!this.#audit && this.machine.kernel) this.#auditNow();
    this.#keepLog();
  }

  #powerOn(): void {
    this.#steps.phase = 'firmware';
    this.#value(this.machine.powerOn());
  }

  #linux(): void {
    this.#steps.phase = 'linux';
    this.#errno(this.machine.bootLinux(), 'TDX initialisation');
    if (this.#failure || !this.#onDemand || !this.#profile.lacks.includes('kvm')) return;
    this.#errno(this.machine.onCpu(0, 'driver', useTdx), 'TDX initialisation');
  }

  /** The kernel does not start the module at boot. */
  get #onDemand(): boolean {
    return this.machine.kernel?.knobs['kernel.tdxInit'] === 'on-demand';
  }

  #runTd(): void {
    this.#steps.phase = 'kvm';
    if (this.#lacks('kvm')) return;
    const outcome = runTd(this.machine, {
      firmware: this.#options.firmware.bytes,
      secrets: this.#secrets,
      onPhase: (phase) => this.#enter(phase),
      onMilestone: (name, detail) => this.#steps.milestone(name, detail, this.#now()),
      onPrivatePages: (pages) => this.#lookAtBus(pages),
    });
    this.#td = outcome.td;
    if (outcome.ending.kind !== 'returned') this.#value(outcome.ending);
    else if (outcome.td.errno < 0) this.#fail({ kind: 'errno', errno: errnoName(outcome.td.errno), text: outcome.td.text });
    else if (outcome.td.text !== '') this.#fail({ kind: 'panic', errno: '', text: outcome.td.text });
  }

  /** Everything must be back: pages, KeyIDs, PAMT entries. After a failure the TD may be where it was. */
  #auditNow(): void {
    this.#audit = audit(this.machine, this.#watch, this.#failure !== null);
  }

  #kexec(): void {
    this.#steps.phase = 'kexec';
    if (this.#lacks('kexec')) return;
    const loaded = this.machine.onCpu(0, 'kexec -l', function* (cpu) {
      return kexec_load(cpu);
    });
    const errno = this.#value(loaded) ?? 0;
    const { now } = this.machine.platform.lps[0]!;
    this.#keepLog();
    if (errno !== 0) this.#steps.add('kexec', 'skipped', `refused: ${errnoName(errno)}`, now);
    else {
      const report = this.#value(this.machine.kexec());
      if (report) this.#newKernel(report);
    }
  }

  /** The new kernel tries TDX with the module as the old kernel left it, looks at the old PAMTs, and then uses all its memory, them included. */
  #newKernel({ pamts }: KexecReport): void {
    const { generation } = this.machine.kernel!;
    const booted = this.#value(this.machine.onCpu(0, 'swapper', (cpu) => cpu.kernel.start_kernel(cpu)));
    if (booted === undefined) return;
    const errno = this.#onDemand ? this.#value(this.machine.onCpu(0, 'first user', (cpu) => this.#useTdx(cpu))) : booted;
    if (errno === undefined) return;
    const { now } = this.machine.platform.lps[0]!;
    this.#steps.add(`kernel ${generation}: TDX initialisation`, errno === 0 ? 'ok' : 'failed', errnoName(errno), now);
    if (this.#value(this.machine.onCpu(0, 'old PAMTs', (cpu) => readOldPamts(cpu, pamts))) === undefined) return;
    const workload = this.#value(this.machine.onCpu(0, 'workload', (cpu) => exercise_memory(cpu, WORKLOAD)));
    if (!workload) return;
    const { operations, partialStores, corrupted } = workload;
    const detail = `${operations} operations, ${partialStores} partial stores, ${corrupted.length} wrong values`;
    this.#steps.add(
      `kernel ${generation}: works on its free memory`,
      corrupted.length === 0 ? 'ok' : 'failed',
      detail,
      this.machine.platform.lps[0]!.now,
    );
  }

  #useTdx(cpu: Cpu): Software<number> {
    return this.#profile.lacks.includes('kvm') ? useTdx(cpu) : useTdxByKvm(cpu, this.machine.knobs);
  }

  /** After an unbreakable shutdown: what another LP gets for a SEAMCALL. */
  #aftermath(): void {
    const lp = this.machine.platform.lps.find(({ stopped }) => stopped === '');
    if (!lp || !this.machine.kernel) return;
    this.#steps.phase = 'aftermath';
    const ending = this.machine.onCpu(lp.id, 'probe', (cpu) => seamcall(cpu, TDH.SYS_RD, { rdx: MD_SYS.MAJOR_VERSION }));
    const status = ending.kind === 'returned' ? ending.value : null;
    const detail =
      status === null ? ending.kind : `${lp.carry ? 'VMfailInvalid' : statusName(status)}: ${errnoName(seamcallErrno(status))}`;
    this.#steps.add(`LP ${lp.id} tries TDH.SYS.RD`, status === 0n ? 'ok' : 'failed', detail, lp.now);
  }

  /** What a probe on the memory bus sees of the guest's secrets while they are still there. */
  #lookAtBus(pages: readonly Range[]): void {
    const seenByHost = this.#watch.findings().length;
    this.#bus.push(...this.#watch.findings(pages).slice(seenByHost));
  }

  /** The latest clock of all LPs. */
  #now(): number {
    return Math.max(...this.machine.platform.lps.map(({ now }) => now));
  }

  #enter(phase: string): void {
    this.#steps.phase = phase;
  }

  #lacks(phase: Phase): boolean {
    if (!this.#profile.lacks.includes(phase)) return false;
    this.#steps.add(phase, 'skipped', `not in profile ${this.#profile.name}`, this.machine.platform.lps[0]!.now);
    return true;
  }

  #errno(ending: Ending<number>, what: string): void {
    const errno = this.#value(ending);
    if (errno !== undefined && errno < 0)
      this.#fail({ kind: 'errno', errno: errnoName(errno), text: `${what} failed with ${errnoName(errno)}` });
  }

  /** The value of software that returned; otherwise the run has failed. */
  #value<T>(ending: Ending<T>): T | undefined {
    if (ending.kind === 'returned') return ending.value;
    const { shutdownBy, lostLp } = this.machine.platform.seam;
    if (shutdownBy && lostLp) return this.#failMc(shutdownBy, `unbreakable shutdown: LP ${lostLp.id} never returns from SEAM`);
    const exception = ending.kind === 'exception' ? ending.exception : this.machine.kernel?.panicked?.exception;
    if (exception instanceof MachineCheck)
      return this.#failMc(exception, `machine check in kernel ${this.machine.kernel?.generation ?? 0}`);
    this.#fail({
      kind: 'panic',
      errno: '',
      text: ending.kind === 'stuck' ? `nothing can go on: ${ending.doing || 'no LP has anything to do'}` : describe(exception),
    });
    return undefined;
  }

  #failMc(machineCheck: MachineCheck, text: string): undefined {
    this.#machineCheck = machineCheck;
    this.#fail({ kind: 'mc', errno: '', text: `${text} (${machineCheck.detail})` });
  }

  /** A failure is a step too, if none of the machine's own events says so. */
  #fail(failure: Failure): void {
    if (this.#failure) return;
    this.#failure = failure;
    if (failure.kind !== 'errno' || this.#steps.steps.some(({ outcome }) => outcome === 'failed')) return;
    this.#steps.add('ends here', 'failed', failure.text, this.#now());
  }

  #keepLog(): void {
    this.#kernelLog.push(...(this.machine.kernel?.log.lines() ?? []));
  }

  chain() {
    return this.#machineCheck ? explain(this.machine.probe, this.#machineCheck) : [];
  }

  report(): BootReport {
    const { probe, platform, knobs } = this.machine;
    return {
      profile: this.#profile.name,
      seed: this.#options.seed,
      firmware: { name: this.#options.firmware.name, bytes: this.#options.firmware.bytes.length },
      knobs: fullVector(knobs),
      steps: this.#steps.steps,
      guestLog: this.#td?.guestLog ?? [],
      kernelLog: this.#kernelLog,
      attestation: this.#attestation(),
      counters: probe.counters(),
      seamcalls: Object.fromEntries(platform.seam.calls),
      findings: this.#findings(),
      chain: [],
      causes: [],
      verdict: this.#verdict(),
      memoryUsed: probe.memoryUsed(),
      traceHash: traceHash(probe.events.events),
    };
  }

  #findings(): readonly Finding[] {
    return [...this.#bus, ...(this.#audit?.findings ?? [])];
  }

  #attestation(): Attestation | null {
    return this.#td?.tdreport ? readTdReport(this.#td.tdreport) : null;
  }

  #verdict(): Verdict {
    if (this.#failure) return this.#failure;
    const findings = this.#findings();
    const [first] = findings.filter(({ severity }) => severity === 'violation');
    if (first) return { kind: 'oracle', errno: '', text: `${first.oracle}: ${first.text}` };
    const latent = findings.length > 0 ? `; ${findings.length} latent findings` : '';
    return { kind: 'ok', errno: '', text: `${this.#audit?.summary ?? 'nothing to audit'}${latent}` };
  }
}

/** The new kernel reads the first page of every old PAMT through KeyID 0; the value is how many bytes were not zero. */
function* readOldPamts({ lp, kernel }: Cpu, pamts: KexecReport['pamts']): Software<number> {
  const read = function* (): Software<number> {
    let found = 0;
    for (const { base } of pamts) {
      found += lp.loadBytes(base, PAGE_SIZE).filter((byte) => byte !== 0).length;
      yield 'pause';
    }
    return found;
  };
  return yield* lp.phase(
    `kernel ${kernel.generation}: reads the old PAMTs`,
    read(),
    (found) => `${pamts.length} pages, ${found} bytes other than zero`,
  );
}

const describe = (exception: unknown): string =>
  typeof exception === 'object' && exception !== null && 'vector' in exception
    ? `unhandled ${String(exception.vector)}`
    : String(exception);
