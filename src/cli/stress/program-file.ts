/** PROGRAM.json: a stress program, or the part of one that differs from the default. */
import { z } from 'zod';
import {
  DEFAULT_STRESS_PROGRAM,
  STRESS_OPERATIONS,
  STRESS_PATTERNS,
  type StressOperation,
  type StressPatternTerm,
} from '../../lab/stress/index.ts';
import { shown } from '../../lab/stress/shown.ts';
import { type ReadFile, readFileUpTo } from '../firmware.ts';
import { type Output, suggestion } from '../output.ts';
import { parseSize, sizeAdvice } from './quantities.ts';

const MAX_BYTES = 2 ** 20;

const bytes = z.unknown().transform((value, context) => {
  const size = typeof value === 'string' ? parseSize(value) : value;
  if (typeof size === 'number') return size;
  const message =
    typeof value === 'string'
      ? `'${shown(value)}': give ${sizeAdvice(value)}`
      : 'give a number of bytes, or a text such as "64GiB"';
  context.issues.push({ code: 'custom', message, input: value });
  return z.NEVER;
});

const pattern = z
  .preprocess(
    (value) => (typeof value === 'string' ? { kind: value } : value),
    z.object({ kind: z.string() }).catchall(z.number()),
  )
  .transform((value): { readonly kind: string } => value);

/** Names and types; what the numbers may be is the engine's to say. Every field may be left out. */
const programSchema = z
  .strictObject({
    seed: z.union([z.number(), z.string()], { error: 'give a number, or a text such as "0x1"' }),
    base: bytes,
    footprint: bytes,
    region: bytes,
    prepare: z.boolean(),
    packages: z.number(),
    keyIds: z.strictObject({ shared: z.number(), private: z.number(), privateShare: z.number(), cross: z.number() }).partial(),
    pattern,
    mix: z.record(z.string(), z.number()),
    guestPages: z.number(),
    hardware: z
      .strictObject({
        maxPhysAddrBits: z.number(),
        integrity: z.string(),
        sharedIntegrity: z.boolean(),
        macBits: z.number(),
        tdBit: z.boolean(),
        checkOrder: z.string(),
        unprogrammedKey: z.string(),
        partialWriteErratum: z.boolean(),
        aesBits: z.number(),
        cacheSets: z.number(),
        cacheWays: z.number(),
        cachePolicy: z.string(),
        crypto: z.string(),
        provenance: z.boolean(),
      })
      .partial(),
  })
  .partial();

/** What a file or the flags say; the rest of the program is the default's or the preset's. */
export type PartialProgram = z.infer<typeof programSchema>;

const READ_ERRORS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file: check the path',
  ENOTDIR: 'a part of the path is not a directory: check the path',
  EISDIR: 'it is a directory: give a program file in it',
  EACCES: 'permission denied: make the file readable for you',
  EPERM: 'permission denied: make the file readable for you',
};

/** Reads a program; fails with one line that names the file and the field. */
export function loadProgram(path: string, output: Output, readFile: ReadFile = readFileUpTo): PartialProgram {
  if (path === '') output.fail('the path of the program is empty: give a JSON file, or leave it out');
  const parsed = programSchema.safeParse(programIn(parseJson(path, output, readFile)));
  if (!parsed.success) return output.fail(`${path}: ${complaint(parsed.error.issues[0]!)}`);
  const { mix, pattern } = parsed.data;
  if (pattern) choosePattern(output, pattern.kind, ` in ${path}`);
  for (const name of Object.keys(mix ?? {})) chooseOperation(output, name, ` in ${path}`);
  return parsed.data;
}

/** What `stress --json` prints is a program with its results around it. */
function programIn(json: unknown): unknown {
  const { schema, program } = (json ?? {}) as { readonly schema?: unknown; readonly program?: unknown };
  return typeof schema === 'string' && /^seamline\/stress\/\d+$/.test(schema) ? program : json;
}

function parseJson(path: string, output: Output, readFile: ReadFile): unknown {
  let data: Uint8Array;
  try {
    data = readFile(path, MAX_BYTES);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === undefined) throw error;
    return output.fail(`cannot read ${path}: ${READ_ERRORS[code] ?? `${code}: give a readable file`}`);
  }
  if (data.length > MAX_BYTES) output.fail(`${path}: larger than 1 MiB: this is no stress program`);
  let prototype = false;
  const json = parseText(path, output, data, (key, value) => {
    prototype ||= key === '__proto__';
    return value;
  });
  // Copies of an object lose a field of that name, and nobody would hear of it.
  return prototype ? output.fail(`${path}: unknown field '__proto__'`) : json;
}

type Reviver = (key: string, value: unknown) => unknown;

function parseText(path: string, output: Output, data: Uint8Array, reviver: Reviver): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(data), reviver);
  } catch (error) {
    return output.fail(`${path}: not JSON: ${(error as Error).message}`);
  }
}

/** Names that a field may have, by the path of what holds it. */
const FIELDS: Readonly<Record<string, readonly string[]>> = {
  '': Object.keys(DEFAULT_STRESS_PROGRAM),
  keyIds: Object.keys(DEFAULT_STRESS_PROGRAM.keyIds),
  hardware: Object.keys(DEFAULT_STRESS_PROGRAM.hardware),
};

function complaint(issue: z.core.$ZodIssue): string {
  const path = shown(issue.path.join('.'));
  if (issue.code === 'unrecognized_keys') {
    const key = issue.keys[0]!;
    const known = FIELDS[path] ?? [];
    return `unknown field '${path && `${path}.`}${shown(key)}'${suggestion(key, known)}; valid: ${known.join(', ')}`;
  }
  const message = issue.message
    .replace(/^Invalid input: /, '')
    .replace('expected record', 'expected object')
    .replace('received undefined', 'and it is missing');
  return path === '' ? `${message}: give an object such as {"footprint": "64GiB"}` : `${path}: ${message}`;
}

const namesOf = <Name extends string>(terms: readonly { readonly name: Name }[]): Name[] => terms.map(({ name }) => name);

/** The pattern of that name, or a failure that suggests the nearest one; `where` says where the name stands. */
export const choosePattern = (output: Output, name: string, where = ''): StressPatternTerm =>
  STRESS_PATTERNS.find((term) => term.name === output.choose(`pattern${where}`, name, namesOf(STRESS_PATTERNS)))!;

/** As {@link choosePattern}. */
export const chooseOperation = (output: Output, name: string, where = ''): StressOperation =>
  output.choose(`operation${where}`, name, namesOf(STRESS_OPERATIONS));
