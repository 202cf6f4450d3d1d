import { describe, expect, it } from 'vitest';
import { registerSeeds } from '../../src/cli/commands/seeds.ts';
import { expectMisuse, run } from './terminal.ts';

const seeds = (...args: string[]) => run((program, { streams }) => registerSeeds(program, streams), ['seeds', ...args]);
/** A machine whose BIOS is wrong fails early: the run is short, and it is real. */
const SHORT = ['--set', 'bios.cmr=absent-memory'];

describe('seamline seeds', () => {
  it('says for each seed how it ended, and sums up; a failure that is no machine check is status 1', async () => {
    const { status, stdout, stderr } = await seeds('--count', '2', '--from', '9', ...SHORT);
    expect({ status, stderr }).toEqual({ status: 1, stderr: '' });
    expect(stdout.split('\n')).toEqual([
      expect.stringMatching(/^seed {2}9 {2}other +.*-EOPNOTSUPP/),
      expect.stringMatching(/^seed 10 {2}other +.*-EOPNOTSUPP/),
      'harmless 0, latent 0, mc 0, other 2',
      '',
    ]);
  });

  it('prints JSON, seeds as 64-bit hexadecimal up to the last one', async () => {
    const { stdout } = await seeds('--count', '1', '--from', '0xffffffffffffffff', ...SHORT, '--json');
    const json = JSON.parse(stdout);
    expect(json).toMatchObject({ schema: 'seamline/seeds/1', profile: '7.1', knobs: { 'bios.cmr': 'absent-memory' } });
    expect(json.tally).toEqual({ harmless: 0, latent: 0, mc: 0, other: 1 });
    expect(json.results).toHaveLength(1);
    expect(json.results[0]).toMatchObject({ seed: '0xffffffffffffffff', outcome: 'other' });
    expect(json.results[0].traceHash).toMatch(/^[0-9a-f]{64}$/);
  });

  it.each(['0', '10001', '-1', '1.5', '1e3', '', 'many'])('refuses --count %j', async (count) => {
    expect(expectMisuse(await seeds(`--count=${count}`))).toMatch(/--count takes a number from 1 to 10000/);
  });

  it.each(['-1', '18446744073709551616', '0x10000000000000000', '1.5', '', 'abc'])('refuses --from %j', async (from) => {
    expect(expectMisuse(await seeds(`--from=${from}`))).toMatch(/--from takes a number from 0 to 2\^64-1/);
  });

  it('refuses a range that goes past the last seed', async () => {
    expect(expectMisuse(await seeds('--from', '0xffffffffffffffff', '--count', '2'))).toMatch(/goes past 2\^64-1: start lower/);
  });

  it('refuses unknown knobs and profiles as boot does', async () => {
    expect(expectMisuse(await seeds('--set', 'hw.tdBti=off'))).toMatch(/did you mean 'hw\.tdBit'/);
    expect(expectMisuse(await seeds('--profile', '7.0'))).toMatch(/did you mean '7\.1'/);
  });
});
