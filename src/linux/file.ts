import type { Software } from '../platform/index.ts';
import { EBADF } from '../spec/errno.ts';
import type { Thread } from './thread.ts';

/** What a driver does with its files. Results below 0 are -errno. */
export interface FileOperations {
  readonly name: string;
  ioctl?(current: Thread, file: File, request: number, arg: bigint): Software<number>;
  /** Pages to map, in order, or -errno. */
  mmap?(current: Thread, file: File, length: number): Software<readonly number[] | number>;
  /** The last reference is gone. */
  release?(current: Thread, file: File): Software;
  /** Name of a request, for the event log. */
  requestName?(request: number): string;
}

/** An open file. `private_data` is the driver's. */
export class File<P = unknown> {
  readonly f_op: FileOperations;
  readonly private_data: P;
  #references = 1;

  constructor(f_op: FileOperations, private_data: P) {
    this.f_op = f_op;
    this.private_data = private_data;
  }

  /** get_file(). */
  get(): this {
    this.#references++;
    return this;
  }

  /** fput(): the last one releases the file. */
  *put(current: Thread): Software {
    if (--this.#references > 0) return;
    const releasing = this.f_op.release?.(current, this);
    if (releasing) yield* releasing;
  }
}

/** Files of a process by descriptor; the lowest free number is used. */
export class FileTable {
  readonly #files: (File | undefined)[] = [undefined, undefined, undefined];
  /** 0 to 2 are the terminal's. */
  readonly #first = 3;

  /** anon_inode_getfd(), fd_install(): the descriptor of a new file. */
  install(file: File): number {
    let fd = this.#first;
    while (this.#files[fd]) fd++;
    this.#files[fd] = file;
    return fd;
  }

  /** fget() without the reference. */
  get(fd: number): File | undefined {
    return this.#files[fd];
  }

  *close(current: Thread, fd: number): Software<number> {
    const file = this.#files[fd];
    if (!file) return -EBADF;
    this.#files[fd] = undefined;
    yield* file.put(current);
    return 0;
  }

  *closeAll(current: Thread): Software {
    for (const fd of this.#files.keys()) if (this.#files[fd]) yield* this.close(current, fd);
  }
}
