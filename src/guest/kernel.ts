import { GPR, type GuestCpu, type GuestSoftware, type InterruptFrame, VECTOR_NUMBER } from '../platform/guest-cpu.ts';
import { EINVAL } from '../spec/errno.ts';
import type { GuestKnobs } from './knobs.ts';
import { type GuestObserver, GuestPanic } from './observer.ts';
import { DirectMap } from './page-table.ts';
import { type AccessSize, accessorLength, accessorOffset, accessorText } from './text.ts';
import { handleVe } from './ve.ts';

/** What all vCPUs of one TD's guest kernel share. */
export class TdGuest {
  readonly knobs: GuestKnobs;
  readonly observer: GuestObserver;
  /** The GPA bit that makes an address shared; set by {@link startGuest} from TDG.VP.INFO. */
  sharedMask = 0n;
  pageTable = new DirectMap(0n);
  /** Fix-up addresses by faulting RIP (the exception table). */
  readonly exceptionTable = new Map<bigint, bigint>();
  /** #VEs handled, by exit reason. */
  readonly veCounts = new Map<number, number>();
  /** GPA of the text page; 0 until it is loaded. */
  #text = 0n;

  constructor(knobs: GuestKnobs, observer: GuestObserver) {
    this.knobs = knobs;
    this.observer = observer;
  }

  setSharedBit(bit: number): void {
    this.sharedMask = 1n << BigInt(bit);
    this.pageTable = new DirectMap(this.sharedMask);
  }

  /** Installs the exception handlers on a vCPU. */
  setUpIdt(cpu: GuestCpu): void {
    cpu.idt.set(VECTOR_NUMBER['#VE'], (frame) => handleVe(this, cpu, frame));
    for (const vector of ['#DF', '#GP', '#PF', '#UD'] as const)
      cpu.idt.set(VECTOR_NUMBER[vector], (frame) => oops(vector, frame));
  }

  /** Puts the MMIO accessors into an accepted private page. */
  *loadText(cpu: GuestCpu, page: bigint): GuestSoftware {
    yield* cpu.storeBytes(page, accessorText());
    this.#text = page;
  }

  /** Instruction bytes at a linear address of the direct map (copy_from_kernel_nofault of the #VE handler). */
  fetch(cpu: GuestCpu, rip: bigint, length: number): GuestSoftware<Uint8Array> {
    return cpu.loadBytes(rip - DirectMap.BASE, length);
  }

  /** readb … readq: one MOV through the direct map; what comes back is in the register that the instruction names. */
  *mmioRead(cpu: GuestCpu, gpa: bigint, size: AccessSize): GuestSoftware<bigint> {
    const gla = this.#enter(cpu, false, size, gpa);
    const bytes = yield* cpu.load(this.pageTable.gpa(gpa), size, gla);
    if (bytes) {
      cpu.gpr[GPR.RAX] = littleEndian(bytes);
      cpu.state.rip += BigInt(accessorLength(false, size));
    }
    return BigInt.asUintN(8 * size, cpu.gpr[GPR.RAX]!);
  }

  *mmioWrite(cpu: GuestCpu, gpa: bigint, size: AccessSize, value: bigint): GuestSoftware {
    const gla = this.#enter(cpu, true, size, gpa);
    cpu.gpr[GPR.RAX] = value;
    const bytes = new Uint8Array(new BigUint64Array([value]).buffer, 0, size);
    if (yield* cpu.store(this.pageTable.gpa(gpa), bytes, gla)) cpu.state.rip += BigInt(accessorLength(true, size));
  }

  /** Calls an accessor: RIP at its instruction, RDI = linear address. */
  #enter(cpu: GuestCpu, write: boolean, size: AccessSize, gpa: bigint): bigint {
    const gla = this.pageTable.gla(gpa);
    cpu.gpr[GPR.RDI] = gla;
    cpu.state.rip = this.pageTable.gla(this.#text + accessorOffset(write, size));
    return gla;
  }

  /** The decoder gave up (requirements S3-14, S3-15). */
  decodeFailed(): number {
    const policy = this.knobs['guest.mmioDecodeFail'];
    if (policy === 'bug') throw new GuestPanic('kernel BUG in the MMIO #VE handler');
    if (policy === 'warn+gp') this.warn('MMIO instruction could not be decoded');
    return -EINVAL;
  }

  /** A #VE that was not handled: as #GP would be. SIGSEGV from user mode; in the kernel the exception table, else an oops. */
  veFault(frame: InterruptFrame, _saved: BigUint64Array, errno: number): void {
    const fixup = this.exceptionTable.get(frame.rip);
    if (frame.cpl === 0 && fixup === undefined) throw new GuestPanic(`VE fault at RIP 0x${frame.rip.toString(16)} (${errno})`);
    if (frame.cpl !== 0) this.observer.log('SIGSEGV');
    frame.rip = fixup ?? frame.rip + 1n;
  }

  warn(text: string): void {
    this.observer.log(`WARNING: ${text}`);
  }

  countVe(reason: number): void {
    this.veCounts.set(reason, (this.veCounts.get(reason) ?? 0) + 1);
  }
}

function* oops(vector: string, frame: InterruptFrame): GuestSoftware {
  throw new GuestPanic(`${vector} at RIP 0x${frame.rip.toString(16)}`);
}

const littleEndian = (bytes: Uint8Array): bigint => bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
