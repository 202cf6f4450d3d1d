/** A device behind ports. Sizes are 1, 2 or 4 bytes; values are unsigned. */
export interface PortDevice {
  readonly name: string;
  readonly port: number;
  readonly ports: number;
  in(port: number, size: number): number;
  out(port: number, size: number, value: number): void;
}

/** A device behind guest-physical addresses (without the shared bit). Sizes are 1, 2, 4 or 8 bytes. */
export interface MmioDevice {
  readonly name: string;
  readonly base: number;
  readonly size: number;
  read(offset: number, size: number): bigint;
  write(offset: number, size: number, value: bigint): void;
}

/** What an access to nobody's port or address reads as: all ones. */
const floating = (size: number): bigint => (1n << BigInt(8 * size)) - 1n;

/** The VMM's devices by address. */
export class Bus {
  readonly #ports: readonly PortDevice[];
  readonly #mmio: readonly MmioDevice[];
  /** Accesses that no device answered. */
  unclaimed = 0;

  constructor(ports: readonly PortDevice[], mmio: readonly MmioDevice[]) {
    this.#ports = ports;
    this.#mmio = mmio;
  }

  in(port: number, size: number): number {
    const device = this.#atPort(port);
    return device ? device.in(port, size) : Number(floating(size));
  }

  out(port: number, size: number, value: number): void {
    this.#atPort(port)?.out(port, size, value);
  }

  read(gpa: number, size: number): bigint {
    const device = this.#atAddress(gpa);
    return device ? device.read(gpa - device.base, size) : floating(size);
  }

  write(gpa: number, size: number, value: bigint): void {
    const device = this.#atAddress(gpa);
    device?.write(gpa - device.base, size, value);
  }

  #atPort(port: number): PortDevice | undefined {
    return this.#claimed(this.#ports.find((device) => port >= device.port && port < device.port + device.ports));
  }

  #atAddress(gpa: number): MmioDevice | undefined {
    return this.#claimed(this.#mmio.find((device) => gpa >= device.base && gpa < device.base + device.size));
  }

  #claimed<D>(device: D | undefined): D | undefined {
    if (!device) this.unclaimed++;
    return device;
  }
}
