import type { GuestCpu, GuestHandler, GuestSoftware, VmExit } from '../../src/platform/guest-cpu.ts';

type Answer = (cpu: FakeGuestCpu) => void;

/**
 * A fake processor for guest code alone: memory is a byte array, TDCALL and the other exits are answered by the test.
 * The real one, under the real module, is used by the end-to-end tests.
 */
export class FakeGuestCpu implements GuestCpu {
  readonly gpr = new BigUint64Array(16);
  readonly state = { rip: 0n, rflags: 2n, cr0: 0n, cr3: 0n, cr4: 0n, efer: 0n };
  readonly idt = new Map<number, GuestHandler>();
  cpl = 0;
  readonly memory = new Map<bigint, number>();
  /** Copies of the registers at each TDCALL. */
  readonly calls: BigUint64Array[] = [];
  readonly #answer: Answer;

  constructor(answer: Answer = () => {}) {
    this.#answer = answer;
  }

  writeCr(register: 'cr0' | 'cr3' | 'cr4', value: bigint): void {
    this.state[register] = value;
  }
  *tdcall(): GuestSoftware {
    this.calls.push(this.gpr.slice());
    this.#answer(this);
    yield 'guest';
  }
  *#noExit(): GuestSoftware {
    yield 'guest';
  }
  cpuid = (): GuestSoftware => this.#noExit();
  hlt = (): GuestSoftware => this.#noExit();
  wbinvd = (): GuestSoftware => this.#noExit();
  rdmsr = (): GuestSoftware => this.#noExit();
  wrmsr = (): GuestSoftware => this.#noExit();
  io = (): GuestSoftware => this.#noExit();
  pause = (): GuestSoftware => this.#noExit();
  *load(gpa: bigint, length: number): GuestSoftware<Uint8Array | null> {
    yield 'guest';
    return Uint8Array.from({ length }, (_, i) => this.memory.get(gpa + BigInt(i)) ?? 0);
  }
  *store(gpa: bigint, bytes: Uint8Array): GuestSoftware<boolean> {
    yield 'guest';
    bytes.forEach((byte, i) => {
      this.memory.set(gpa + BigInt(i), byte);
    });
    return true;
  }
  *loadBytes(gpa: bigint, length: number): GuestSoftware<Uint8Array> {
    return (yield* this.load(gpa, length))!;
  }
  *storeBytes(gpa: bigint, bytes: Uint8Array): GuestSoftware {
    yield* this.store(gpa, bytes);
  }
}

/** Runs guest software to its end; exits of the real kind do not occur on the fake. */
export function run<T>(software: GuestSoftware<T>): T {
  for (;;) {
    const step = software.next();
    if (step.done) return step.value;
    if (typeof step.value === 'object' && 'reason' in (step.value as VmExit)) throw new Error('unexpected VM exit');
  }
}
