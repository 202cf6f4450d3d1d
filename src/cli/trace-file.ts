/** The file behind `--trace`: never half a trace under its name, and nothing left behind when there is none. */
import { closeSync, openSync, realpathSync, renameSync, rmSync, type Stats, statSync, writeSync } from 'node:fs';
import type { Output } from './output.ts';

export interface TraceFile {
  readonly write: (chunk: string) => void;
  /** Gives the trace its name, now that it is complete. */
  readonly commit: () => void;
  /** Removes what was written. */
  readonly discard: () => void;
}

const WRITE_ERRORS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such directory: create it first',
  ENOTDIR: 'a part of the path is not a directory: check the path',
  EISDIR: 'it is a directory: give a file name in it',
  EACCES: 'permission denied: choose a directory that you may write to',
  EPERM: 'permission denied: choose a directory that you may write to',
  EROFS: 'the file system is read-only: choose another path',
  ENOSPC: 'no space left: choose another path',
  ENAMETOOLONG: 'the name is too long: choose a shorter one',
  ERR_INVALID_ARG_VALUE: 'the path contains a null byte: check it',
};

/** Checks before anything runs that the trace can be written. An existing file stays as it is until `commit`. */
export function openTrace(output: Output, path: string): TraceFile {
  const guard = <T>(act: () => T): T => {
    try {
      return act();
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code === undefined) throw error;
      return output.fail(`cannot write the trace ${path}: ${WRITE_ERRORS[code] ?? `${code}: choose another path`}`);
    }
  };
  if (path === '') output.fail('the trace path is empty: give a file name such as boot.trace.json');
  return guard(() => {
    const existing = statSync(path, { throwIfNoEntry: false });
    if (existing?.isDirectory() || /[/\\]$/.test(path)) throw Object.assign(new Error(path), { code: 'EISDIR' });
    return existing && !existing.isFile() ? passThrough(path, guard) : beside(path, existing, guard);
  });
}

type Guard = <T>(act: () => T) => T;

/** A pipe or a device: there is nothing to keep or to replace. */
function passThrough(path: string, guard: Guard): TraceFile {
  const fd = openSync(path, 'w');
  return { write: (chunk) => void guard(() => writeAll(fd, chunk)), commit: () => closeSync(fd), discard: () => closeSync(fd) };
}

/** A file is written beside its name and renamed when complete: whoever is killed before leaves nothing under the name. */
function beside(path: string, existing: Stats | undefined, guard: Guard): TraceFile {
  const target = existing ? realpathSync(path) : path;
  const partial = `${target}.${process.pid}.partial`;
  closeSync(openSync(partial, 'wx', existing?.mode));
  rmSync(partial);
  let fd: number | undefined;
  const discard = () => {
    if (fd === undefined) return;
    closeSync(fd);
    fd = undefined;
    rmSync(partial, { force: true });
  };
  const orDiscard: Guard = (act) =>
    guard(() => {
      try {
        return act();
      } catch (error) {
        discard();
        throw error;
      }
    });
  return {
    write: (chunk) =>
      orDiscard(() => {
        fd ??= openSync(partial, 'wx', existing?.mode);
        writeAll(fd, chunk);
      }),
    commit: () =>
      orDiscard(() => {
        if (fd === undefined) return;
        renameSync(partial, target);
        closeSync(fd);
        fd = undefined;
      }),
    discard,
  };
}

/** A write may take less than it was given. */
function writeAll(fd: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
}
