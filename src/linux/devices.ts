import type { Software } from '../platform/index.ts';
import { EEXIST, ENOENT } from '../spec/errno.ts';
import type { File } from './file.ts';
import type { Thread } from './thread.ts';

/** A character device node. `open` gives the file or -errno. */
export interface MiscDevice {
  readonly path: string;
  open(current: Thread): Software<File | number>;
}

/** The device nodes that drivers registered. */
export class Devices {
  readonly #nodes = new Map<string, MiscDevice>();

  /** 0, or -EEXIST. */
  misc_register(device: MiscDevice): number {
    if (this.#nodes.has(device.path)) return -EEXIST;
    this.#nodes.set(device.path, device);
    return 0;
  }

  misc_deregister(device: MiscDevice): void {
    this.#nodes.delete(device.path);
  }

  *open(current: Thread, path: string): Software<File | number> {
    const device = this.#nodes.get(path);
    return device ? yield* device.open(current) : -ENOENT;
  }
}
