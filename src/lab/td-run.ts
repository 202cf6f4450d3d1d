import { guestKnobs, mainJobGuest } from '../guest/index.ts';
import { loadKvm } from '../kvm/index.ts';
import type { Range } from '../platform/index.ts';
import { errnoName } from '../spec/errno.ts';
import { readKnobs } from '../spec/knob.ts';
import { PT } from '../spec/states.ts';
import { PowerControl, Serial, type StopReason, TdMachine, TestRegister } from '../vmm/index.ts';
import type { Ending, Machine } from './machine.ts';
import { Ledger } from './oracles/index.ts';

export interface TdOptions {
  /** A TDVF image. */
  readonly firmware: Uint8Array;
  /** 64 bytes that only the guest may know. */
  readonly secrets: Uint8Array;
  /** The main job enters another part. */
  readonly onPhase: (phase: string) => void;
  /** The guest has reached a point of its program. */
  readonly onMilestone: (name: string, detail: string) => void;
  /** Just before the teardown: the physical pages that hold the TD's private memory. */
  readonly onPrivatePages: (pages: readonly Range[]) => void;
}

/** What became of the TD. */
export interface TdOutcome {
  /** Negative when a system call of the VMM failed. */
  readonly errno: number;
  /** Why it did not end as it should; empty when it did. */
  readonly text: string;
  readonly guestLog: readonly string[];
  /** TDREPORT in hex, as the guest got it from the module; null when it never came so far. */
  readonly tdreport: string | null;
}

/** GPA of the test device: below the firmware, outside RAM (assumed, as on QEMU's q35). */
const MMIO_BASE = 0xfe00_0000;
const SERIAL_PORT = 0x3f8;
const PAGE = 4096;
const RTMR_DIGEST_BYTES = 48;

/** The guest's console and milestones. */
class Console {
  readonly lines: string[] = [];
  readonly milestones = new Map<string, Facts>();
  readonly #onMilestone: TdOptions['onMilestone'];

  constructor(onMilestone: TdOptions['onMilestone']) {
    this.#onMilestone = onMilestone;
  }

  log(text: string): void {
    this.lines.push(text);
  }

  milestone(name: string, facts: Facts): void {
    this.milestones.set(name, facts);
    const shown = Object.entries(facts).filter(([, value]) => value !== '' && String(value).length <= LONGEST_FACT);
    this.#onMilestone(MILESTONE_NAMES[name] ?? name, shown.map(([key, value]) => `${key} ${show(value)}`).join(', '));
  }
}

type Facts = Readonly<Record<string, string | number | bigint>>;

const LONGEST_FACT = 60;
const MILESTONE_NAMES: Readonly<Record<string, string>> = {
  start: 'start: CPUID 0x21, TDG.VP.INFO, SEPT-#VE policy',
  accept: 'memory acceptance',
  'private-memory': 'private memory',
  convert: 'a page to shared and back: MapGPA',
  mmio: 'MMIO write and read',
  port: 'port write',
  cpuid: 'CPUID of a hypervisor leaf',
  report: 'RTMR extend, TDG.MR.REPORT',
  'power-off': 'power off',
};

const show = (value: string | number | bigint): string => (typeof value === 'bigint' ? `0x${value.toString(16)}` : String(value));

/** Loads KVM, runs a VMM with one TD from creation to teardown; the guest does the main job's work. */
export function runTd(machine: Machine, options: TdOptions): { readonly ending: Ending<unknown>; readonly td: TdOutcome } {
  const console = new Console(options.onMilestone);
  const loaded = machine.onCpu(0, 'modprobe kvm_intel', (cpu) => loadKvm(cpu, machine.knobs));
  if (loaded.kind !== 'returned' || typeof loaded.value === 'number') return { ending: loaded, td: failed(loaded) };
  const power = new PowerControl();
  const td = new TdMachine({
    firmware: options.firmware,
    ports: [new Serial(SERIAL_PORT), power],
    mmio: [new TestRegister(MMIO_BASE)],
    isOff: () => power.isOff,
    observer: { step: (name) => enter(machine, options, name) },
  });
  machine.platform.vmx.boot = mainJobGuest({
    knobs: readKnobs(guestKnobs, machine.knobs),
    observer: console,
    devices: { mmio: BigInt(MMIO_BASE), port: SERIAL_PORT, powerOff: { port: power.port, value: power.powerOffValue } },
    secrets: options.secrets,
    reportData: machine.platform.random('report data').bytes(new Uint8Array(64)),
    rtmrDigest: machine.platform.random('rtmr').bytes(new Uint8Array(RTMR_DIGEST_BYTES)),
  });
  const ending = machine.process('vmm', (syscalls) => td.main(syscalls));
  return { ending, td: outcome(td.stopped, console) };
}

/** The parts of a VMM's life are phases of the main job; before the teardown the host tries to read what the TD has left. */
function enter(machine: Machine, { onPhase, onPrivatePages }: TdOptions, step: string): void {
  const phase = step === 'run' ? 'guest' : step === 'teardown' ? 'teardown' : 'vmm';
  onPhase(phase);
  if (phase !== 'teardown') return;
  const pages = privatePages(machine);
  curiousHost(machine, pages);
  onPrivatePages(pages);
}

const privatePages = ({ probe }: Machine): Range[] =>
  [...new Ledger(probe).book.pages.values()]
    .filter(({ type, level }) => type === PT.REG && level === 0)
    .map(({ pa }) => ({ base: pa, size: PAGE }));

/** A host kernel that looks at every private page of the TD through its direct map (KeyID 0): the confidentiality oracle sees what it gets. */
function curiousHost({ platform }: Machine, pages: readonly Range[]): void {
  const lp = platform.lps.find(({ mode, stopped }) => mode === 'root' && stopped === '');
  if (!lp) return;
  const event = lp.beginEvent('phase', 'the host reads all private pages through KeyID 0');
  const seen = pages.reduce((sum, { base, size }) => sum + lp.loadBytes(base, size).filter((byte) => byte !== 0).length, 0);
  lp.endEvent(event, `${pages.length} pages, ${seen} bytes other than zero`);
}

const failed = (loaded: Ending<unknown>): TdOutcome => {
  const errno = loaded.kind === 'returned' && typeof loaded.value === 'number' ? loaded.value : 0;
  return { errno, text: `loading kvm_intel failed with ${errnoName(errno)}`, guestLog: [], tdreport: null };
};

function outcome(stopped: StopReason | null, console: Console): TdOutcome {
  const tdreport = console.milestones.get('report')?.tdreport;
  const panic = console.milestones.get('panic')?.message;
  const base = { guestLog: console.lines, tdreport: typeof tdreport === 'string' ? tdreport : null };
  if (!stopped) return { ...base, errno: 0, text: 'the VMM never came to an end' };
  if (stopped.kind === 'call-failed')
    return { ...base, errno: stopped.errno, text: `${stopped.call} failed with ${errnoName(stopped.errno)}` };
  if (stopped.kind !== 'power-off') return { ...base, errno: 0, text: `the TD stopped: ${stopped.kind}` };
  return { ...base, errno: 0, text: panic === undefined ? '' : `guest panic: ${panic}` };
}
