/** Where a guest's console goes. */
export interface GuestObserver {
  /** A line of the guest kernel's log. */
  log(text: string): void;
  /** A milestone of the guest's program, with facts for a program to read. */
  milestone(name: string, facts: Readonly<Record<string, string | number | bigint>>): void;
}

/** The guest kernel gave up (panic, oops in the kernel's own context). Caught at the kernel's top: that vCPU never does anything useful again. */
export class GuestPanic {
  readonly message: string;
  constructor(message: string) {
    this.message = message;
  }
}
