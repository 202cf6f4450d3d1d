interface Rule {
  skip: number;
  count: number;
}

/** Which of the matching attempts fail: `count` of them after `skip`. */
export interface FaultWindow {
  readonly skip?: number;
  readonly count?: number;
}

/** Fault injection of the kernel: allocations by owner tag, inter-processor calls by target CPU. */
export class FaultInjection {
  readonly #allocations = new Map<string, Rule>();
  readonly #calls = new Map<number, Rule>();

  /** Allocations of this owner fail. */
  failAllocation(owner: string, { skip = 0, count = 1 }: FaultWindow = {}): void {
    this.#allocations.set(owner, { skip, count });
  }

  /** smp_call_function_single() to this CPU returns -ENXIO, as when it has just gone offline. */
  failCall(cpu: number, { skip = 0, count = 1 }: FaultWindow = {}): void {
    this.#calls.set(cpu, { skip, count });
  }

  allocationFails(owner: string): boolean {
    return consume(this.#allocations.get(owner));
  }

  callFails(cpu: number): boolean {
    return consume(this.#calls.get(cpu));
  }
}

const consume = (rule: Rule | undefined): boolean => {
  if (!rule) return false;
  if (rule.skip > 0) {
    rule.skip--;
    return false;
  }
  if (rule.count === 0) return false;
  rule.count--;
  return true;
};
