/** What a program file or a flag must not say, and how it is told. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { registerStress } from '../../src/cli/commands/stress.ts';
import { DEFAULT_STRESS_PROGRAM } from '../../src/lab/stress/index.ts';
import { expectMisuse, run } from './terminal.ts';

const directory = mkdtempSync(join(tmpdir(), 'seamline-stress-refusals-'));
afterAll(() => rmSync(directory, { recursive: true }));

/** A worker that is not there: whoever starts anything fails in another way than by misuse. */
const worker = new URL('file:///nothing/may/start.js');
const stress = (...args: string[]) =>
  run((program, { streams }) => registerStress(program, { streams, worker, cores: 2 }), ['stress', ...args]);
const misuse = async (...args: string[]): Promise<string> => expectMisuse(await stress(...args));
const accepted = async (...args: string[]): Promise<void> => expect(stress(...args)).rejects.toThrow(/start\.js/);

const file = (text: string): string => {
  const path = join(directory, 'program.json');
  writeFileSync(path, text);
  return path;
};

describe('the seed of a program file', () => {
  it.each(['""', '"  "', '" 5"', '"5\\n"', '"0b11"', '"0o17"', '"-0"', '-0', '-1', '"0x"', '"18446744073709551616"'])(
    'is none: %s',
    async (seed) => {
      expect(await misuse(file(`{"seed": ${seed}}`))).toMatch(
        /program\.json: seed '.*': give a whole number from 0 to 2\^64 - 1/,
      );
    },
  );

  it.each(['0', '5', '"5"', '"0xFFFFFFFFFFFFFFFF"', '"18446744073709551615"', '9007199254740991'])('is one: %s', async (seed) => {
    await accepted(file(`{"seed": ${seed}}`));
  });

  it('is to be a text where no number is exact', async () => {
    expect(await misuse(file('{"seed": 9007199254740993}'))).toMatch(/above 2\^53 write it as text/);
  });
});

describe('an address above what there is', () => {
  /** One GiB below the end of the address space, less the S-EPT of 4096 pages: 1 + 1 + 1 + 8 tables. */
  const most = 2 ** 52 - 2 ** 30 - 11 * 4096;

  it('is told the largest footprint, and that one is accepted', async () => {
    expect(await misuse(file('{"footprint": "4PiB"}'))).toMatch(
      new RegExp(`footprint 4PiB from 1GiB on: .* at most ${most} \\(the end of 52 address bits, less the S-EPT`),
    );
    expect(await misuse('--footprint', String(most + 64))).toContain(`at most ${most} `);
    await accepted('--footprint', String(most));
  });

  it('is told the highest base, and that one is accepted', async () => {
    const highest = most + 2 ** 30 - 1024;
    expect(await misuse(file('{"base": 4503599627370432}'))).toContain(
      `base 4503599627370432: give a multiple of 64 from 0 to ${highest} `,
    );
    await accepted(file(`{"base": ${highest}, "footprint": 1024}`));
  });
});

describe('advice', () => {
  it.each([
    ['{"pattern": {"kind": "strided", "stride": 1e18}}', /stride 1000000000000000000: give .* 1 to 70368744177664 \(2\^46\)/],
    ['{"pattern": {"kind": "ping-pong", "repeat": 1e12}}', /repeat 1000000000000: give a whole number, 2 to 2147483648/],
    ['{"mix": {"load": 1e16}}', /weight 10000000000000000 of load: give a number from 0 to 1e15/],
    ['{"footprint": "64QiB"}', /footprint: '64QiB': give a whole number of bytes such as 64GiB/],
    [
      '{"hardware": {"cacheSets": 131072}}',
      /hw\.cache\.sets \(hardware\.cacheSets\) 131072: give 0 or a power of two up to 65536/,
    ],
    ['{"hardware": {"cacheWays": 32}}', /hw\.cache\.ways \(hardware\.cacheWays\) 32: give a power of two up to 16/],
    ['{"hardware": {"cacheWays": 0}}', /hw\.cache\.ways/],
    ['{"hardware": {"cacheSets": 0, "cacheWays": 5}}', /hw\.cache\.ways/],
    ['{"hardware": {"macBits": 29}}', /hw\.macBits \(hardware\.macBits\) 29: give 1 to 28/],
    ['{"hardware": {"aesBits": 192}}', /hw\.aesBits \(hardware\.aesBits\) 192: give 128 or 256/],
    ['{"mix": {"__proto__": 1, "load": 1}}', /unknown field '__proto__'/],
    ['{"pattern": {"kind": "uniform", "toString": 1}}', /has no 'toString'/],
  ])('names the limit: %s', async (text, says) => {
    expect(await misuse(file(text))).toMatch(says);
  });

  it('takes the ways of a flag as strictly when there are no sets', async () => {
    expect(await misuse('--set', 'hw.cache.ways=5')).toMatch(/hw\.cache\.ways .* a power of two up to 16/);
  });
});

describe('a message', () => {
  const LONG = 'x'.repeat(900_000);
  const SAID = 1000;

  it.each([
    ['a pattern', () => [file(`{"pattern": "${LONG}"}`)]],
    ['a field', () => [file(`{"${LONG}": 1}`)]],
    ['a number of a pattern', () => [file(`{"pattern": {"kind": "zipf", "${LONG}": 1}}`)]],
    ['a seed', () => [file(`{"seed": "${LONG}"}`)]],
    ['a size', () => [file(`{"footprint": "${LONG}"}`)]],
    ['a knob', () => [file(`{"hardware": {"integrity": "${LONG}"}}`)]],
    ['words', () => [file(`{"pattern": "${'x y '.repeat(200_000)}"}`)]],
    ['a flag', () => ['--mix', `${LONG}=1`]],
    ['the name of a flag', () => [`--${LONG}`]],
    ['the path', () => [`/${LONG}`]],
  ])('does not get longer by what it quotes: %s', async (_what, args) => {
    expect((await misuse(...args())).length).toBeLessThan(SAID);
  });

  it('has no characters that cannot be seen', async () => {
    const message = await misuse(file('{"pattern": "a\\u202eb\\u0007c\\u2028d\\u200fe"}'));
    expect(message).toContain("'a b c d e'");
    expect((await misuse('\u202eprogram.json\u001b[2K')).trimEnd()).not.toMatch(/[\p{Cf}\p{Cc}]/u);
  });
});

describe('the command line', () => {
  it.each([
    [['--ops', '5', '--ops', '6'], /--ops is given twice: give it once/],
    [['--ops', '5', '--ops', '5'], /--ops is given twice/],
    [['--json', '--json'], /--json is given twice/],
    [['--set', 'hw.tdBit=on', '--set', 'hw.tdBit=off'], /--set hw\.tdBit is given twice/],
    [['--list', '--ops', '5'], /--list runs nothing: give it alone, or with --json/],
    [['--list', 'program.json'], /--list runs nothing/],
  ])('%j', async (args, says) => {
    expect(await misuse(...args)).toMatch(says);
  });

  it('takes several knobs, and --list with --json', async () => {
    await accepted('--set', 'hw.tdBit=on', '--set', 'hw.macBits=28');
    expect((await stress('--list', '--json')).status).toBe(0);
  });
});

describe('the JSON of a run as a program file', () => {
  const program = { ...DEFAULT_STRESS_PROGRAM, seed: '0x1' };

  it('is the program in it', async () => {
    await accepted(file(JSON.stringify({ schema: 'seamline/stress/2', program, requested: 5, stopped: null })));
    const bad = { schema: 'seamline/stress/2', program: { ...program, packages: 9 } };
    expect(await misuse(file(JSON.stringify(bad)))).toMatch(/program\.json: packages 9: give 1 to 8/);
  });

  it('is that of another command: refused', async () => {
    expect(await misuse(file(JSON.stringify({ schema: 'seamline/boot/1', program })))).toMatch(/unknown field 'schema'/);
  });
});
