/** Hardware exceptions as the simulated software meets them (DESIGN.md §5). They are thrown into the software that runs on the LP. */
export type Vector = '#UD' | '#GP' | '#PF' | '#MC' | '#VE' | '#DF';

export const VECTOR_NUMBER = { '#UD': 6, '#DF': 8, '#GP': 13, '#PF': 14, '#MC': 18, '#VE': 20 } as const satisfies Record<
  Vector,
  number
>;

/** Not an Error: it belongs to the simulated machine, and a JavaScript stack would say nothing about it. */
export class HardwareException {
  readonly vector: Vector;
  readonly detail: string;
  constructor(vector: Vector, detail: string) {
    this.vector = vector;
    this.detail = detail;
  }
}

/** #PF: the error code's RSVD bit tells that a private KeyID was used outside SEAM. */
export class PageFault extends HardwareException {
  readonly pa: number;
  readonly reserved: boolean;
  constructor(pa: number, reserved: boolean, detail: string) {
    super('#PF', detail);
    this.pa = pa;
    this.reserved = reserved;
  }
}

/** #MC by consumption of poison. `fault` is the core's record at that moment. */
export class MachineCheck extends HardwareException {
  readonly pa: number;
  readonly keyId: number;
  readonly fault: import('../../bindings/memory-core.ts').FaultRecord;
  readonly event: number;
  constructor(fault: import('../../bindings/memory-core.ts').FaultRecord, event: number) {
    super('#MC', `poison consumed at 0x${fault.pa.toString(16)} through KeyID ${fault.keyId}`);
    this.pa = fault.pa;
    this.keyId = fault.keyId;
    this.fault = fault;
    this.event = event;
  }
}
