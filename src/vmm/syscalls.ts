import type { Software } from '../platform/software.ts';

/** What a user-space thread can ask of its kernel: the VMM's only way out. Numbers below 0 are -errno. */
export interface Syscalls {
  /** Anonymous private memory of `length` bytes, zeroed; its virtual address. */
  mmap(length: number): Software<number>;
  /** Maps a file descriptor's pages (a vCPU's kvm_run); its virtual address. */
  mmapFile(fd: number, length: number): Software<number>;
  open(path: string): Software<number>;
  close(fd: number): Software<number>;
  /** `arg` is an immediate or a user virtual address, as the request defines. */
  ioctl(fd: number, request: number, arg: bigint): Software<number>;
  /** Reads and writes the process's own memory through this thread's CPU. */
  read(va: number, length: number): Uint8Array;
  write(va: number, bytes: Uint8Array): void;
  /** Starts another thread of the process, pinned to a CPU. The handle ends when the thread does. */
  spawn(cpu: number, name: string, thread: (syscalls: Syscalls) => Software): ThreadHandle;
  /** Signals another thread of the process: the system call it is blocked in, or its KVM_RUN, ends with -EINTR. */
  kill(thread: ThreadHandle): Software<number>;
  /** Waits for another thread. */
  join(thread: ThreadHandle): Software;
}

export interface ThreadHandle {
  readonly name: string;
  readonly ended: boolean;
}
