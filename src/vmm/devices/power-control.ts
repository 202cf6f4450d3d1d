import type { PortDevice } from './bus.ts';

/** PM1a control of QEMU's machine q35. */
const PM1A_CONTROL = 0x604;
/** ACPI 6.5 §4.8.3.2.1: SLP_EN. */
const SLP_EN = 1 << 13;

/** ACPI's PM1a control register: SLP_EN powers the machine off. */
export class PowerControl implements PortDevice {
  readonly name = 'pm1a';
  readonly port: number;
  readonly ports = 2;
  /** The value whose write powers off. */
  readonly powerOffValue = SLP_EN;
  isOff = false;

  constructor(port = PM1A_CONTROL) {
    this.port = port;
  }

  in(): number {
    return 0;
  }

  out(_port: number, _size: number, value: number): void {
    if ((value & SLP_EN) !== 0) this.isOff = true;
  }
}
