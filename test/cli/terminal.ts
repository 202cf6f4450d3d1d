/** A user at a terminal, in this process: runs a command and collects what it writes. */
import { Command } from 'commander';
import { expect } from 'vitest';
import { runProgram, type Sink, type Streams } from '../../src/cli/output.ts';

export interface Ran {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Terminal {
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/** Registers a command on an empty program and runs it. */
export async function run(
  register: (program: Command, host: { streams: Streams }) => void,
  args: readonly string[],
  { isTTY = false, columns }: Terminal = {},
): Promise<Ran> {
  const written = { stdout: '', stderr: '' };
  const sink = (name: 'stdout' | 'stderr'): Sink => ({
    isTTY,
    ...(columns !== undefined && { columns }),
    write: (text: string) => {
      written[name] += text;
    },
  });
  const streams = { stdout: sink('stdout'), stderr: sink('stderr') };
  const program = new Command('seamline').showSuggestionAfterError();
  register(program, { streams });
  return { status: await runProgram(program, args, streams), ...written };
}

/** Misuse: status 2, nothing on stdout, one line on stderr, no stack trace. Returns the line. */
export function expectMisuse({ status, stdout, stderr }: Ran): string {
  expect({ status, stdout, stderr }).toEqual({ status: 2, stdout: '', stderr: expect.stringMatching(/^seamline: [^\n]+\n$/) });
  expect(stderr).not.toMatch(/\n\s+at |Error:/);
  return stderr;
}

/** Runs `act` as on a terminal that takes colours. */
export async function withColors<T>(noColor: string | undefined, act: () => Promise<T>): Promise<T> {
  const { NO_COLOR, TERM } = process.env;
  const set = (name: string, value: string | undefined) => {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  };
  set('NO_COLOR', noColor);
  set('TERM', 'xterm');
  try {
    return await act();
  } finally {
    set('NO_COLOR', NO_COLOR);
    set('TERM', TERM);
  }
}
