import type { PortDevice } from './bus.ts';

const COM1 = 0x3f8;
const PORTS = 8;
const LINE_STATUS = 5;
/** Transmitter empty: a byte can always be sent. */
const TRANSMITTER_READY = 0x60;

/** A serial port that keeps what is sent. */
export class Serial implements PortDevice {
  readonly name = 'serial';
  readonly port: number;
  readonly ports = PORTS;
  /** Bytes that the guest sent. */
  readonly sent: number[] = [];

  constructor(port = COM1) {
    this.port = port;
  }

  get text(): string {
    return String.fromCharCode(...this.sent);
  }

  in(port: number): number {
    return port - this.port === LINE_STATUS ? TRANSMITTER_READY : 0;
  }

  out(port: number, _size: number, value: number): void {
    if (port === this.port) this.sent.push(value & 0xff);
  }
}
