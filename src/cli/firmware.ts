/** Firmware files for the commands: read with a limit, parsed, every failure one line and exit status 2. */
import { closeSync, openSync, readSync } from 'node:fs';
import { checkBootable, FirmwareError, MAX_IMAGE_BYTES, parseTdvf, type TdvfImage } from '../lab/firmware.ts';
import type { Output } from './output.ts';

const CHUNK_BYTES = 2 ** 20;

/** Reads a file; of one that is larger than `limit` bytes, `limit + 1` bytes. Throws Node's own errors. */
export type ReadFile = (path: string, limit: number) => Uint8Array;

/** Works on anything that can be opened, so that `seamline measure <(cat VARS CODE)` does too. */
export const readFileUpTo: ReadFile = (path, limit) => {
  const file = openSync(path, 'r');
  try {
    const chunks: Uint8Array[] = [];
    let size = 0;
    while (size <= limit) {
      const chunk = new Uint8Array(Math.min(CHUNK_BYTES, limit + 1 - size));
      const got = readSync(file, chunk);
      if (got === 0) break;
      chunks.push(chunk.subarray(0, got));
      size += got;
    }
    return concat(chunks, size);
  } finally {
    closeSync(file);
  }
};

function concat(chunks: readonly Uint8Array[], size: number): Uint8Array {
  const whole = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}

const READ_ERRORS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file: check the path',
  ENOTDIR: 'a part of the path is not a directory: check the path',
  EISDIR: 'it is a directory: give a firmware image in it',
  EACCES: 'permission denied: make the file readable for you',
  EPERM: 'permission denied: make the file readable for you',
  ELOOP: 'too many symbolic links: give the file itself',
  ENAMETOOLONG: 'the path is too long: check it',
  ERR_INVALID_ARG_VALUE: 'the path contains a null byte: check it',
};

/** A firmware image and what the parser found in it. */
export interface Firmware {
  readonly bytes: Uint8Array;
  readonly tdvf: TdvfImage;
}

/** Reads and parses an image; fails with one line that names the file. */
export function loadFirmware(path: string, output: Output, readFile: ReadFile = readFileUpTo): Firmware {
  if (path === '') output.fail('the firmware path is empty: give a TDVF image such as /usr/share/ovmf/OVMF.fd');
  const bytes = readOrFail(path, output, readFile);
  return naming(path, output, () => ({ bytes, tdvf: parseTdvf(bytes) }));
}

/** Fails with one line when the image is a good one, but `boot` has no place for a section of it. */
export function refuseUnloadable(path: string, { tdvf }: Firmware, output: Output): void {
  naming(path, output, () => checkBootable(tdvf));
}

/** A complaint about an image names its file. */
function naming<T>(path: string, output: Output, act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (error instanceof FirmwareError) return output.fail(`${path}: ${error.message}`);
    throw error;
  }
}

function readOrFail(path: string, output: Output, readFile: ReadFile): Uint8Array {
  try {
    return readFile(path, MAX_IMAGE_BYTES);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === undefined) throw error;
    return output.fail(`cannot read ${path}: ${READ_ERRORS[code] ?? `${code}: give a readable file`}`);
  }
}
