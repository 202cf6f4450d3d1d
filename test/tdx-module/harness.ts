import {
  contains,
  GPR,
  type GuestSoftware,
  type LogicalProcessor,
  Platform,
  type Range,
  type SysInfoTable,
  smallMap,
  type Task,
  type VirtualCpu,
} from '../../src/platform/index.ts';
import type { Field } from '../../src/spec/field.ts';
import type { KnobValue } from '../../src/spec/knob.ts';
import { TD_PARAMS, TDCS_PAGE, TDMR_INFO } from '../../src/spec/layouts.ts';
import { TDG, TDH } from '../../src/spec/leaves.ts';
import { INITIAL_VCPU } from '../../src/spec/states.ts';
import { statusName, TDX_SUCCESS } from '../../src/spec/status.ts';
import { TdxModule } from '../../src/tdx-module/module.ts';

/**
 * A module that is ready and a host without Linux: everything goes through SEAMCALL on a logical processor, as a host would do it.
 * Memory: the TDMR is the first GiB of node 1, its PAMT lies in the second; host buffers lie in node 0.
 */
const GIB = 2 ** 30;
const MIB = 2 ** 20;
export const PAGE = 4096;
const TDMR: Range = { base: 4 * GIB, size: GIB };
const PAMT = 5 * GIB;
const HOST_BUFFERS = 16 * MIB;
/** One TDH.SYS.TDMR.INIT covers this much of the TDMR. */
const INIT_STEP = 4 * MIB;
/** The shared bit of a TD with 48-bit GPAs. */
export const SHARED = 1n << 47n;
/** CR0.PG and EFER.LMA: what firmware has set before a guest kernel runs. */
const LONG_MODE = { cr0: INITIAL_VCPU.CR0 | (1n << 31n), efer: INITIAL_VCPU.EFER | (1n << 10n) } as const;

export type TdhName = keyof typeof TDH;
export type TdgName = keyof typeof TDG;
type Register = 'rcx' | 'rdx' | 'rbx' | 'rbp' | 'rsi' | 'rdi' | 'r8' | 'r9' | 'r10' | 'r11' | 'r12' | 'r13' | 'r14' | 'r15';
export type Registers = Partial<Record<Register, bigint | number>>;
export interface CallResult extends Record<Register, bigint> {
  readonly status: bigint;
  /** `TDX_OPERAND_INVALID | RCX` */
  readonly name: string;
}

const index = (register: string): number => GPR[register.toUpperCase() as keyof typeof GPR];
const REGISTERS: readonly Register[] = [
  'rcx',
  'rdx',
  'rbx',
  'rbp',
  'rsi',
  'rdi',
  'r8',
  'r9',
  'r10',
  'r11',
  'r12',
  'r13',
  'r14',
  'r15',
];

const load = (gpr: BigUint64Array, rax: bigint, registers: Registers): void => {
  for (const register of REGISTERS) gpr[index(register)] = BigInt(registers[register] ?? 0);
  gpr[GPR.RAX] = rax;
};
const result = (gpr: BigUint64Array): CallResult => ({
  ...(Object.fromEntries(REGISTERS.map((register) => [register, gpr[index(register)]!])) as Record<Register, bigint>),
  status: gpr[GPR.RAX]!,
  name: statusName(gpr[GPR.RAX]!),
});

/** What a test's guest does; the helpers of {@link Guest} are its instructions. */
export type Program = (guest: Guest) => GuestSoftware;

/** A guest in 64-bit mode with TDCALL by leaf name. */
export class Guest {
  readonly cpu: VirtualCpu;
  constructor(cpu: VirtualCpu) {
    this.cpu = cpu;
  }
  *tdcall(name: TdgName, registers: Registers = {}, version = 0): GuestSoftware<CallResult> {
    load(this.cpu.gpr, TDG[name] | (BigInt(version) << 16n), registers);
    yield* this.cpu.tdcall();
    return result(this.cpu.gpr);
  }
  *load64(gpa: bigint | number): GuestSoftware<bigint> {
    const bytes = yield* this.cpu.loadBytes(BigInt(gpa), 8);
    return new DataView(bytes.buffer).getBigUint64(0, true);
  }
  *store64(gpa: bigint | number, value: bigint): GuestSoftware {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, value, true);
    yield* this.cpu.storeBytes(BigInt(gpa), bytes);
  }
}

export interface HostOptions {
  readonly seed?: bigint;
  readonly knobs?: Readonly<Record<string, KnobValue>>;
  /** MiB of the TDMR whose PAMT is initialised. Default 32. */
  readonly memory?: number;
}

/** The untrusted host. */
export class ModuleHost {
  readonly platform: Platform;
  readonly module: TdxModule;
  readonly #programs: Program[] = [];
  #nextPage = TDMR.base;
  #nextBuffer = HOST_BUFFERS;
  #nextHkid: number;

  constructor(options: HostOptions = {}) {
    this.platform = new Platform({
      seed: options.seed ?? 7n,
      memoryMap: smallMap,
      packages: 2,
      lpsPerPackage: 2,
      ...(options.knobs && { knobs: options.knobs }),
    });
    const sysInfo: SysInfoTable = {
      cmrs: smallMap.cmrs,
      totalLps: this.platform.lps.length,
      totalPackages: this.platform.packages,
      tdxWithoutIntegrity: this.platform.knobs['hw.integrity'] !== 'Ci',
      seamrr: smallMap.seamrr,
    };
    this.platform.seam.range = smallMap.seamrr;
    this.module = new TdxModule(this.platform, sysInfo, options.knobs ?? {});
    this.platform.seam.module = this.module;
    this.platform.vmx.boot = (cpu) => this.#boot(cpu);
    for (const lp of this.platform.lps) lp.vmxon();
    this.#nextHkid = this.platform.firstPrivateKeyId + 1;
    this.#initialise((options.memory ?? 32) * MIB);
  }

  get lp(): LogicalProcessor {
    return this.platform.lps[0]!;
  }

  /** One SEAMCALL from start to end. */
  call(name: TdhName, registers: Registers = {}, lp = this.lp, version = 0): CallResult {
    const task = this.start(name, registers, lp, version);
    this.finish(task);
    return result(lp.gpr);
  }

  /** A SEAMCALL that the test lets run beside others. */
  start(name: TdhName, registers: Registers = {}, lp = this.lp, version = 0): Task {
    load(lp.gpr, TDH[name] | (BigInt(version) << 16n), registers);
    return this.platform.scheduler.spawn(lp, name, lp.seamcall());
  }

  finish(...tasks: readonly Task[]): boolean {
    return this.platform.scheduler.run(tasks);
  }

  /** The registers of an LP whose call ended. */
  resultOf(lp: LogicalProcessor): CallResult {
    return result(lp.gpr);
  }

  /** Must succeed. */
  ok(name: TdhName, registers: Registers = {}, lp = this.lp, version = 0): CallResult {
    const done = this.call(name, registers, lp, version);
    if (done.status !== TDX_SUCCESS) throw new Error(`TDH.${name}: ${done.name}`);
    return done;
  }

  /** A new page inside the TDMR, aligned to its size. */
  page(size = PAGE): number {
    const base = Math.ceil(this.#nextPage / size) * size;
    this.#nextPage = base + size;
    if (!contains(TDMR, base, size)) throw new Error('the harness has no more TDMR memory');
    return base;
  }

  /** Host memory that holds these bytes. */
  buffer(bytes: Uint8Array): number {
    const pa = this.#nextBuffer;
    this.#nextBuffer += Math.ceil(bytes.length / PAGE) * PAGE;
    this.lp.storeBytes(pa, bytes);
    return pa;
  }

  hkid(): number {
    return this.#nextHkid++;
  }

  /** The program of the next VCPU that enters for the first time. */
  runs(program: Program): void {
    this.#programs.push(program);
  }

  *#boot(cpu: VirtualCpu): GuestSoftware {
    const program = this.#programs.shift();
    if (!program) throw new Error('the test gave this VCPU no program');
    Object.assign(cpu.state, LONG_MODE);
    yield* program(new Guest(cpu));
  }

  #initialise(memory: number): void {
    this.ok('SYS_INIT');
    for (const lp of this.platform.lps) this.ok('SYS_LP_INIT', {}, lp);
    const info = new Uint8Array(512);
    TDMR_INFO.BASE.setNumber(info, TDMR.base);
    TDMR_INFO.LENGTH.setNumber(info, TDMR.size);
    let pamt = PAMT;
    for (const [level, size] of [
      ['4K', 4 * MIB],
      ['2M', 2 * PAGE],
      ['1G', PAGE],
    ] as const) {
      TDMR_INFO[`PAMT_${level}_BASE`].setNumber(info, pamt);
      TDMR_INFO[`PAMT_${level}_SIZE`].setNumber(info, size);
      pamt += size;
    }
    const pointers = new Uint8Array(PAGE);
    new DataView(pointers.buffer).setBigUint64(0, BigInt(this.buffer(info)), true);
    this.ok('SYS_CONFIG', { rcx: this.buffer(pointers), rdx: 1, r8: this.platform.firstPrivateKeyId });
    for (const lp of this.platform.lps) lp.wbinvd();
    for (const lp of this.onePerPackage()) this.ok('SYS_KEY_CONFIG', {}, lp);
    for (let done = 0; done < memory; done += INIT_STEP) this.ok('SYS_TDMR_INIT', { rcx: TDMR.base });
  }

  /** Looks at simulated memory as package 0 sees it: for tests that check what a leaf left there. */
  peek(pa: number, length: number, keyId: number): Uint8Array {
    const out = new Uint8Array(length);
    if (this.platform.core.read(0, pa, keyId, out) !== 0) throw new Error(`poison at 0x${pa.toString(16)}`);
    return out;
  }
  peek64(pa: number, keyId: number): bigint {
    return new DataView(this.peek(pa, 8, keyId).buffer).getBigUint64(0, true);
  }
  /** Puts a module structure into a state that the leaves of this build cannot reach (migration). */
  poke(pa: number, keyId: number, bytes: Uint8Array): void {
    this.platform.core.write(0, pa, keyId, bytes);
  }
  poke64(pa: number, keyId: number, value: bigint): void {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, value, true);
    this.poke(pa, keyId, bytes);
  }

  onePerPackage(): LogicalProcessor[] {
    return Array.from({ length: this.platform.packages }, (_, pkg) => this.platform.lps.find((lp) => lp.package === pkg)!);
  }
}

export interface TdOptions {
  readonly attributes?: bigint;
  readonly xfam?: bigint;
  readonly maxVcpus?: number;
  readonly configFlags?: bigint;
  /** GPAs of 2 MiB regions that get an S-EPT page. Default [0]. */
  readonly regions?: readonly number[];
  /** Registers and reserved area of TD_PARAMS that a test wants to see again. */
  readonly mrConfigId?: Uint8Array;
}

/** A TD that a host builds with the leaves alone. */
export class TestTd {
  readonly host: ModuleHost;
  readonly tdr: number;
  readonly hkid: number;
  readonly tdcx: readonly number[];
  readonly vcpus: number[] = [];
  /** S-EPT pages by `level:gpa`. */
  readonly septPages = new Map<string, number>();
  readonly pages = new Map<number, number>();

  constructor(host: ModuleHost, options: TdOptions = {}) {
    this.host = host;
    this.tdr = host.page();
    this.hkid = host.hkid();
    host.ok('MNG_CREATE', { rcx: this.tdr, rdx: this.hkid });
    for (const lp of host.onePerPackage()) host.ok('MNG_KEY_CONFIG', { rcx: this.tdr }, lp);
    this.tdcx = Array.from({ length: 6 }, () => {
      const page = host.page();
      host.ok('MNG_ADDCX', { rcx: page, rdx: this.tdr });
      return page;
    });
    host.ok('MNG_INIT', { rcx: this.tdr, rdx: host.buffer(tdParams(options)) });
    for (const gpa of options.regions ?? [0]) this.region(gpa);
  }

  /** S-EPT pages down to 4 KiB entries for the 2 MiB around a GPA. */
  region(gpa: number): void {
    for (const level of [3, 2, 1]) this.sept(gpa, level);
  }

  /** The S-EPT page below the entry at `level`, unless it is there. */
  sept(gpa: number, level: number): void {
    const size = PAGE * 512 ** level;
    const base = gpa - (gpa % size);
    const key = `${level}:${base}`;
    if (this.septPages.has(key)) return;
    const page = this.host.page();
    this.host.ok('MEM_SEPT_ADD', { rcx: base + level, rdx: this.tdr, r8: page });
    this.septPages.set(key, page);
  }

  /** Creates and initialises a VCPU that will run `program`. */
  vcpu(program: Program = function* () {}, lp = this.host.lp, initial = 0n): number {
    const tdvpr = this.host.page();
    this.host.ok('VP_CREATE', { rcx: tdvpr, rdx: this.tdr });
    for (let i = 0; i < 5; i++) this.host.ok('VP_ADDCX', { rcx: this.host.page(), rdx: tdvpr });
    this.host.ok('VP_INIT', { rcx: tdvpr, rdx: initial, r8: this.vcpus.length }, lp, 1);
    this.host.runs(program);
    this.vcpus.push(tdvpr);
    return tdvpr;
  }

  /** Address of the S-EPT entry of a GPA, in a region that has its S-EPT pages. */
  entryPa(gpa: number, level = 0): number {
    const size = PAGE * 512 ** (level + 1);
    const table = level === 3 ? this.tdcx[TDCS_PAGE.SEPT_ROOT]! : this.septPages.get(`${level + 1}:${gpa - (gpa % size)}`)!;
    return table + (Math.floor(gpa / (PAGE * 512 ** level)) % 512) * 8;
  }
  entry(gpa: number, level = 0): bigint {
    return this.host.peek64(this.entryPa(gpa, level), this.hkid);
  }

  /** A field of the TDCS as it lies in memory. */
  tdcs<T>(field: Field<T>): T {
    return field.load(this.host.peek(this.#tdcsPa(field), field.size, this.hkid), 0);
  }
  pokeTdcs<T>(field: Field<T>, value: T): void {
    const bytes = new Uint8Array(field.size);
    field.store(bytes, 0, value);
    this.host.poke(this.#tdcsPa(field), this.hkid, bytes);
  }
  #tdcsPa(field: { readonly offset: number }): number {
    return this.tdcx[field.offset >> 12]! + (field.offset & 0xfff);
  }
  tdrField<T>(field: Field<T>): T {
    return field.load(this.host.peek(this.tdr + field.offset, field.size, this.host.module.globalKeyId), 0);
  }

  /** TDH.MEM.PAGE.ADD of these bytes. */
  add(gpa: number, bytes: Uint8Array = new Uint8Array(PAGE)): number {
    const target = this.host.page();
    this.host.ok('MEM_PAGE_ADD', { rcx: gpa, rdx: this.tdr, r8: target, r9: this.host.buffer(bytes) });
    this.pages.set(gpa, target);
    return target;
  }

  extend(gpa: number): void {
    for (let at = gpa; at < gpa + PAGE; at += 256) this.host.ok('MR_EXTEND', { rcx: at, rdx: this.tdr });
  }

  aug(gpa: number, level = 0): number {
    const page = this.host.page(PAGE * 512 ** level);
    this.host.ok('MEM_PAGE_AUG', { rcx: gpa + level, rdx: this.tdr, r8: page });
    this.pages.set(gpa, page);
    return page;
  }

  finalize(): void {
    this.host.ok('MR_FINALIZE', { rcx: this.tdr });
  }

  enter(tdvpr = this.vcpus[0]!, registers: Registers = {}, lp = this.host.lp): CallResult {
    return this.host.call('VP_ENTER', { ...registers, rcx: tdvpr }, lp);
  }

  leaf(name: TdhName, gpaAndLevel: number | bigint, registers: Registers = {}, lp = this.host.lp): CallResult {
    return this.host.call(name, { rcx: gpaAndLevel, rdx: this.tdr, ...registers }, lp);
  }
}

export function tdParams(options: TdOptions = {}): Uint8Array {
  const bytes = new Uint8Array(TD_PARAMS.SIZE);
  TD_PARAMS.ATTRIBUTES.set(bytes, options.attributes ?? 0n);
  TD_PARAMS.XFAM.set(bytes, options.xfam ?? 3n);
  TD_PARAMS.MAX_VCPUS.set(bytes, options.maxVcpus ?? 4);
  TD_PARAMS.EPTP_CONTROLS.set(bytes, 6n | (3n << 3n));
  TD_PARAMS.CONFIG_FLAGS.set(bytes, options.configFlags ?? 0n);
  TD_PARAMS.TSC_FREQUENCY.set(bytes, 40);
  if (options.mrConfigId) TD_PARAMS.MRCONFIGID.set(bytes, options.mrConfigId);
  return bytes;
}

/** A TD with one VCPU that runs `program`, finalised. */
export function readyTd(
  host: ModuleHost,
  program: Program,
  options: TdOptions = {},
  setUp: (td: TestTd) => void = () => {},
): TestTd {
  const td = new TestTd(host, options);
  setUp(td);
  td.vcpu(program);
  td.finalize();
  return td;
}
