import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { registerStress } from '../../src/cli/commands/stress.ts';
import { expectMisuse, run } from './terminal.ts';

const directory = mkdtempSync(join(tmpdir(), 'seamline-stress-input-'));
afterAll(() => rmSync(directory, { recursive: true }));

/** A worker that is not there: whoever starts anything fails in another way than by misuse. */
const worker = new URL('file:///nothing/may/start.js');
const stress = (args: readonly string[], cores = 2) =>
  run((program, { streams }) => registerStress(program, { streams, worker, cores }), ['stress', ...args]);
const misuse = async (args: readonly string[], cores?: number): Promise<string> => expectMisuse(await stress(args, cores));

const file = (text: string | Uint8Array): string => {
  const path = join(directory, 'program.json');
  writeFileSync(path, text);
  return path;
};

describe('seamline stress: bad input is one line, status 2, and nothing started', () => {
  it('has a control: what is good does reach the worker', async () => {
    await expect(stress(['--ops', '10'])).rejects.toThrow(/start\.js/);
    await expect(stress([file('{"footprint": "1MiB", "pattern": "zipf"}'), '--ops', '10'])).rejects.toThrow(/start\.js/);
  });

  it.each([
    [['--pattern', 'unifrom'], /unknown pattern 'unifrom' \(did you mean 'uniform'\?\); valid: sequential, /],
    [['--pattern', ''], /unknown pattern ''; valid/],
    [['--pattern', 'zipf:x'], /--pattern zipf:x: s takes a number, not 'x'/],
    [['--pattern', 'zipf:'], /s takes a number, not ''/],
    [['--pattern', 'zipf:9'], /s 9: give 1\/64 to 4/],
    [['--pattern', 'zipf:1:2'], /too many numbers; write zipf:S/],
    [['--pattern', 'strided:0'], /stride 0: give a whole number of lines/],
    [['--mix', 'laod=4'], /unknown operation 'laod' \(did you mean 'load'\?\); valid: load, store/],
    [['--mix', 'load'], /--mix takes OPERATION=WEIGHT,…, such as .*, not 'load'/],
    [['--mix', 'load=1=2'], /--mix takes OPERATION=WEIGHT/],
    [['--mix', ''], /--mix takes OPERATION=WEIGHT/],
    [['--mix', 'load=0,store=0'], /all weights are 0/],
    [['--mix', 'load=-1'], /--mix load=-1: the weight is a number from 0 to 1e15/],
    [['--mix', 'load=many'], /--mix load=many: the weight is a number/],
    [['--mix', 'load=1,load=2'], /load is there twice/],
    [['--footprint', '4PiB'], /wider than 52 bits: give less than 4PiB/],
    [['--footprint', '0x10000000000000'], /wider than 52 bits/],
    [
      ['--footprint', String(2 ** 52 - 4096)],
      /from 1GiB on: give .* at most 4503598553583616 \(the end of 52 address bits, less the S-EPT/,
    ],
    [['--footprint', '64GB'], /--footprint takes binary units: write GiB/],
    [['--footprint', '100'], /footprint 100 from 1GiB on: give a multiple of 64 bytes/],
    [['--footprint', '0'], /footprint 0 from 1GiB on: give/],
    [['--footprint', '-4096'], /--footprint takes a whole number of bytes such as 64GiB, .*, not '-4096'/],
    [['--footprint', '1.0001KiB'], /--footprint takes a whole number of bytes/],
    [['--footprint', 'lots'], /not 'lots'/],
    [['--ops', '0'], /--ops takes a whole number of operations, 1 or more, .*, not '0'/],
    [['--ops', '-5'], /--ops takes .*, not '-5'/],
    [['--ops=-5'], /--ops takes .*, not '-5'/],
    [['--ops', '1.5'], /not '1\.5'/],
    [['--ops', 'ten'], /not 'ten'/],
    [['--ops', ''], /not ''/],
    [['--ops', '1e20'], /--ops 1e20: give at most 9007199254740991/],
    [['--ops', '1e99'], /give at most/],
    [['--packages', '9'], /--packages takes a number from 1 to 8/],
    [['--packages', '0'], /--packages takes a number from 1 to 8/],
    [['--seed', '-1'], /--seed takes a number from 0 to 2\^64-1/],
    [['--preset', 'atack'], /unknown preset 'atack' \(did you mean 'attack'\?\)/],
    [['--set', 'hw.crypto=egaer'], /did you mean 'eager'/],
    [['--set', 'hw.cache.sets=3'], /hw\.cache\.sets \(hardware\.cacheSets\) 3: give 0 or a power of two up to 65536/],
    [['--set', 'kernel.wbinvdBeforeKeyConfig=off'], /a stress program has no software.*valid: hw\.tdBit/],
    [['--set', 'cpu.erratum.pwMce=by-model'], /no CPU model: give on or off/],
    [['--workers', '0'], /--workers takes a whole number from 1 to 2, not '0'/],
    [['--workers', '-1'], /--workers takes .*, not '-1'/],
    [['--workers', '1.5'], /--workers takes .*, not '1\.5'/],
    [['--workers', '3'], /--workers 3: this machine has 2 cores: give at most 2/],
    [['--max-memory', '8GiB'], /--max-memory takes 2MiB to 4GiB/],
    [['--max-memory', '1'], /--max-memory takes 2MiB to 4GiB/],
    [['--mxi', 'load=1'], /unknown option '--mxi'.*--mix/],
    [['missing.json'], /cannot read missing\.json: there is no such file/],
    [[directory], /it is a directory/],
    [[''], /path of the program is empty/],
    [['a.json', 'b.json'], /too many arguments/],
    [['a.json', '--preset', 'attack'], /two programs: give one of them/],
  ] as const)('%j', async (args, says) => {
    expect(await misuse(args)).toMatch(says);
  });

  it('counts the cores of this machine, and knows that more workers than shards have nothing to do', async () => {
    expect(await misuse(['--workers', '2'], 1)).toMatch(/this machine has 1 core: give at most 1/);
    expect(await misuse(['--workers', '17'], 64)).toMatch(/cut into 16 shards: give at most 16/);
  });

  it.each([
    ['{', /program\.json: not JSON: /],
    ['[]', /program\.json: expected object, received array: give an object such as/],
    ['null', /expected object, received null/],
    ['{"footprnt": 1}', /unknown field 'footprnt' \(did you mean 'footprint'\?\); valid: seed, base/],
    ['{"keyIds": {"privat": 1}}', /unknown field 'keyIds\.privat' \(did you mean 'private'\?\); valid: shared/],
    ['{"hardware": {"tdbit": true}}', /unknown field 'hardware\.tdbit' \(did you mean 'tdBit'\?\)/],
    ['{"__proto__": {"a": 1}}', /unknown field '__proto__'/],
    ['{"keyIds": 3}', /keyIds: expected object, received number/],
    ['{"footprint": "64GB"}', /footprint: '64GB': give binary units: write GiB for 1024s/],
    ['{"footprint": true}', /footprint: give a number of bytes/],
    ['{"footprint": "4PiB"}', /footprint 4PiB from 1GiB on: .*the end of 52 address bits/],
    ['{"mix": {"load": "4"}}', /mix\.load: expected number, received string/],
    ['{"mix": []}', /mix: expected object, received array/],
    ['{"mix": {"laod": 4}}', /unknown operation in .*program\.json 'laod' \(did you mean 'load'\?\)/],
    ['{"mix": {"load": -4}}', /program\.json: weight -4 of load/],
    ['{"mix": {}}', /all weights are 0/],
    ['{"pattern": "unifrom"}', /unknown pattern in .*program\.json 'unifrom' \(did you mean 'uniform'\?\)/],
    ['{"pattern": {"kind": "zipf", "s": "1"}}', /pattern\.s: expected number, received string/],
    ['{"pattern": {"kind": "zipf", "t": 1}}', /pattern zipf has no 't'/],
    ['{"pattern": {}}', /pattern\.kind: expected string, and it is missing/],
    ['{"seed": 1.5}', /seed '1\.5': give a whole number/],
    ['{"packages": 1e999}', /packages: expected number, received Infinity/],
    ['{"hardware": {"crypto": "egaer"}}', /hw\.crypto \(hardware\.crypto\) 'egaer': give lazy or eager/],
    [new Uint8Array([0xff, 0xfe]), /not JSON/],
  ])('a program file %j', async (text, says) => {
    expect(await misuse([file(text)])).toMatch(says);
  });

  it('a program file of more than 1 MiB', async () => {
    expect(await misuse([file(' '.repeat(2 ** 20 + 1))])).toMatch(/larger than 1 MiB/);
  });

  it('blames the file, the flags, or both', async () => {
    expect(await misuse([file('{"packages": 9}')])).toMatch(/program\.json: packages 9/);
    expect(await misuse([file('{"packages": 9}'), '--seed', '2'])).toMatch(/program\.json: packages 9/);
    expect(await misuse([file('{"packages": 3}'), '--footprint', '100'])).toMatch(/^seamline: footprint 100/);
    expect(await misuse([file('{"region": 64}'), '--footprint', '1TiB'])).toMatch(
      /program\.json with the flags over it: region 64: .* give larger ones/,
    );
  });
});
