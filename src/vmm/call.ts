import type { Software } from '../platform/software.ts';
import { errnoName } from '../spec/errno.ts';
import type { Syscalls } from './syscalls.ts';

/** A system call that the VMM cannot go on without has failed. It ends the VMM's own program, never the simulation. */
export class CallFailed {
  /** The request, such as `KVM_TDX_INIT_VM`. */
  readonly call: string;
  /** Negative. */
  readonly errno: number;
  constructor(call: string, errno: number) {
    this.call = call;
    this.errno = errno;
  }

  toString(): string {
    return `${this.call}: ${errnoName(this.errno)}`;
  }
}

/** The result of a system call, which must not be an errno. */
export function* must(name: string, call: Software<number>): Software<number> {
  const result = yield* call;
  if (result < 0) throw new CallFailed(name, result);
  return result;
}

/** An ioctl with a structure: it is put into `scratch`, and the bytes that come back are returned. */
export function* ioctlWith(
  syscalls: Syscalls,
  fd: number,
  [request, name]: readonly [request: number, name: string],
  bytes: Uint8Array,
  scratch: number,
): Software<Uint8Array> {
  syscalls.write(scratch, bytes);
  yield* must(name, syscalls.ioctl(fd, request, BigInt(scratch)));
  return syscalls.read(scratch, bytes.length);
}
