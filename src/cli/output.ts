/** What every command prints with: lines, aligned tables, JSON, one-line failures. */
import { type Command, CommanderError } from 'commander';
import { closest, distance } from 'fastest-levenshtein';
import picocolors from 'picocolors';
import { shown, visible } from '../lab/stress/shown.ts';

/** A writable end: `process.stdout`, or a collector in a test. */
export interface Sink {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  /** Width of the terminal. */
  readonly columns?: number;
  on?(event: 'error', listener: (error: NodeJS.ErrnoException) => void): unknown;
}

export interface Streams {
  readonly stdout: Sink;
  readonly stderr: Sink;
}

export interface Column {
  readonly title: string;
  /** Default: left. */
  readonly align?: 'left' | 'right';
}

/** Prose narrower than this is no fun to read: rather let the terminal break the line. */
const MIN_PROSE = 24;

/** Exit status of misuse (DESIGN.md §8). */
export const EXIT_MISUSE = 2;

/** Ends a command with this exit status; everything there is to say has been printed. */
export class CliExit extends Error {
  override readonly name = 'CliExit';
  readonly exitCode: number;

  constructor(exitCode: number) {
    super(`exit status ${exitCode}`);
    this.exitCode = exitCode;
  }
}

const ANSI = new RegExp(`${String.fromCharCode(27)}\\[[0-9;]*m`, 'g');
/** What a message has room for: names and values that somebody else has written may be as long as he likes. */
const MOST_CHARACTERS = 2000;
const MOST_WORD = 300;

export type Colors = ReturnType<typeof picocolors.createColors>;

export class Output {
  /** Paint nothing unless stdout is a terminal; NO_COLOR and TERM=dumb switch them off. */
  readonly colors: Colors;
  readonly #streams: Streams;

  constructor(streams: Streams = process) {
    this.#streams = streams;
    const plain = Boolean(process.env.NO_COLOR) || process.env.TERM === 'dumb';
    this.colors = picocolors.createColors(Boolean(streams.stdout.isTTY) && !plain);
  }

  line(text = ''): void {
    this.#streams.stdout.write(`${text}\n`);
  }

  json(value: unknown): void {
    this.line(JSON.stringify(value, undefined, 2));
  }

  /** Characters in a line of the terminal; undefined when stdout is none. */
  get width(): number | undefined {
    return this.#streams.stdout.isTTY ? this.#streams.stdout.columns : undefined;
  }

  /** Columns as wide as their widest cell, two spaces apart. Cells may be painted. On a terminal the last column is wrapped. */
  table(columns: readonly Column[], rows: readonly (readonly string[])[]): void {
    const widths = columns.map((column, i) =>
      rows.reduce((width, row) => Math.max(width, visibleLength(row[i])), column.title.length),
    );
    const format = (row: readonly string[]) =>
      row
        .map((cell, i) => pad(cell, widths[i], columns[i].align))
        .join('  ')
        .trimEnd();
    const indent = widths.slice(0, -1).reduce((sum, width) => sum + width + 2, 0);
    const last = columns.length - 1;
    this.line(this.colors.dim(format(columns.map((column) => column.title))));
    for (const row of rows) {
      const [first = '', ...more] = columns[last].align === 'right' ? [row[last]] : this.wrap(row[last], indent);
      this.line(format([...row.slice(0, -1), first]));
      for (const text of more) this.line(' '.repeat(indent) + text);
    }
  }

  /** Breaks unpainted prose that begins at column `indent` into lines that fit the terminal; one line when it is none, or too narrow. */
  wrap(text: string, indent: number): string[] {
    const room = (this.width ?? Number.POSITIVE_INFINITY) - indent;
    if (room < MIN_PROSE || text.length <= room) return [text];
    const lines = [''];
    for (const word of text.split(' ')) {
      const line = lines.at(-1)!;
      if (line !== '' && line.length + 1 + word.length > room) lines.push(word);
      else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`;
    }
    return lines;
  }

  /** One line on stderr, never a stack trace, and exit status 2. */
  fail(message: string): never {
    this.warn(message);
    throw new CliExit(EXIT_MISUSE);
  }

  /** One line on stderr; the command goes on. */
  warn(message: string): void {
    try {
      this.#streams.stderr.write(`seamline: ${oneLine(message)}\n`);
    } catch (error) {
      // Nobody is left to tell.
      if (!isWriteError(error)) throw error;
    }
  }

  /** The value, if it is one of the names; otherwise a failure that suggests the nearest one. */
  choose<const T extends string>(what: string, value: string, names: readonly T[]): T {
    const found = names.find((name) => name === value);
    return found ?? this.fail(`unknown ${what} '${shown(value)}'${suggestion(value, names)}; valid: ${names.join(', ')}`);
  }
}

/** ` (did you mean 'x'?)` when some name is near enough to be a slip of the keyboard, otherwise nothing. */
export function suggestion(value: string, names: readonly string[]): string {
  if (names.length === 0 || value.length > MOST_WORD) return '';
  const nearest = nearestName(value, names);
  return distance(value, nearest) <= Math.max(2, nearest.length / 2) ? ` (did you mean '${nearest}'?)` : '';
}

/** Of names equally far away, the one that begins as the value does: `of` was to be `off`, not `on`. */
function nearestName(value: string, names: readonly string[]): string {
  const least = distance(value, closest(value, names));
  const nearest = names.filter((name) => distance(value, name) === least);
  return nearest.find((name) => name.startsWith(value)) ?? nearest[0]!;
}

/** One line that a terminal shows as it is: a file name cannot forge a second one, and what is too long is cut in its middle. */
export function oneLine(text: string): string {
  const words = text.replace(new RegExp(`\\S{${MOST_WORD + 1},}`, 'g'), shown);
  const half = MOST_CHARACTERS / 2;
  return visible(words.length > MOST_CHARACTERS ? `${words.slice(0, half)} … ${words.slice(-half)}` : words).trim();
}

function visibleLength(text: string): number {
  return text.replace(ANSI, '').length;
}

function pad(text: string, width: number, align: Column['align'] = 'left'): string {
  const spaces = ' '.repeat(width - visibleLength(text));
  return align === 'right' ? spaces + text : text + spaces;
}

/**
 * Runs the program and gives its exit status. Commander's own complaints become one line and status 2; help and version are 0.
 * @param argv the arguments alone, without node and script.
 */
export async function runProgram(program: Command, argv: readonly string[], streams: Streams = process): Promise<number> {
  forEachCommand(program, (command) => {
    command.exitOverride();
    command.configureOutput({
      writeOut: (text) => streams.stdout.write(text),
      writeErr: (text) => streams.stderr.write(text),
      outputError: (text, write) => write(`seamline: ${oneLine(text.replace(/^error: /, ''))}\n`),
    });
  });
  let unwritten: unknown;
  streams.stdout.on?.('error', (error) => {
    // A reader that has seen enough (`| head`) is no failure.
    if (error.code !== 'EPIPE') unwritten ??= error;
  });
  streams.stderr.on?.('error', () => {});
  const status = await statusOf(program, argv, streams).catch((error: unknown) => {
    if (!isWriteError(error)) throw error;
    unwritten ??= error;
    return 0;
  });
  // What a stream could not write, it says a moment later.
  await new Promise((resolve) => setImmediate(resolve));
  if (unwritten === undefined) return status;
  new Output(streams).warn(`cannot write the output: ${reasonOf(unwritten)}`);
  return status || EXIT_MISUSE;
}

async function statusOf(program: Command, argv: readonly string[], streams: Streams): Promise<number> {
  try {
    await program.parseAsync(argv, { from: 'user' });
    return 0;
  } catch (error) {
    if (error instanceof CliExit) return error.exitCode;
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_MISUSE;
    if (!isMisuse(error)) throw error;
    new Output(streams).warn(error.message);
    return EXIT_MISUSE;
  }
}

const isWriteError = (error: unknown): boolean => (error as NodeJS.ErrnoException | undefined)?.syscall === 'write';

const WRITE_ERRORS: Readonly<Record<string, string>> = {
  ENOSPC: 'no space is left on its device',
  EDQUOT: 'your quota there is used up',
  EFBIG: 'the file would be larger than it may be',
  EIO: 'the device does not answer',
};

function reasonOf(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
  return WRITE_ERRORS[code] ?? code;
}

/** The library's typed errors (DESIGN.md §5, misuse): each has a code, and a message that says what to do. Anything else is a defect. */
const MISUSES: readonly string[] = ['CoreMisuse', 'FirmwareError', 'KnobError', 'MeasureError'];

function isMisuse(error: unknown): error is Error {
  return error instanceof Error && MISUSES.includes(error.name);
}

function forEachCommand(command: Command, visit: (command: Command) => void): void {
  visit(command);
  for (const child of command.commands) forEachCommand(child, visit);
}
