import { describe, expect, it } from 'vitest';
import { registerProfile } from '../../src/cli/commands/profile.ts';
import { allKnobs } from '../../src/lab/knobs.ts';
import { PROFILES } from '../../src/lab/profiles.ts';
import { expectMisuse, run, type Terminal, withColors } from './terminal.ts';

const profile = (args: readonly string[], terminal?: Terminal) =>
  run((program, { streams }) => registerProfile(program, streams), ['profile', ...args], terminal);
const names = PROFILES.map(({ name }) => name);

describe('seamline profile', () => {
  it('lists the profiles', async () => {
    const { status, stdout } = await profile(['list']);
    const [, ...rows] = stdout.trimEnd().split('\n');
    expect({ status, names: rows.map((row) => row.split(' ')[0]) }).toEqual({ status: 0, names });
    expect(rows.find((row) => row.startsWith('6.8 '))).toMatch(/^6\.8 +kvm, kexec +Linux 6\.8/);
    const json = JSON.parse((await profile(['list', '--json'])).stdout);
    expect(json.schema).toBe('seamline/profiles/1');
    expect(json.profiles.map(({ name }: { name: string }) => name)).toEqual(names);
  });

  it('wraps the last column under itself on a narrow terminal', async () => {
    const { stdout } = await withColors('1', () => profile(['list'], { isTTY: true, columns: 80 }));
    const lines = stdout.trimEnd().split('\n');
    for (const line of lines) expect(line.length, line).toBeLessThanOrEqual(80);
    const indent = lines[0]?.indexOf('stands for') ?? -1;
    const continued = lines.filter((line) => line.startsWith(' '));
    expect(continued.length).toBeGreaterThan(0);
    for (const line of continued) expect(line.search(/\S/)).toBe(indent);
  });

  it('shows the knobs in which two profiles differ', async () => {
    const { status, stdout } = await profile(['diff', '7.1', '6.8']);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^knob +7\.1 +6\.8$/m);
    expect(stdout).toMatch(/^kernel\.pamtReset +on-erratum +always$/m);
    expect(stdout).not.toMatch(/hw\./);
    expect((await profile(['diff', '7.1', '7.1'])).stdout).toBe('7.1 and 7.1 have the same knobs\n');
  });

  it('prints the difference and both full vectors as JSON', async () => {
    const json = JSON.parse((await profile(['diff', '7.1', '6.8', '--json'])).stdout);
    expect(json).toMatchObject({ schema: 'seamline/profile-diff/1', a: '7.1', b: '6.8' });
    expect(json.knobs['kernel.pamtReset']).toEqual({ value: 'always', reference: 'on-erratum' });
    for (const vector of [json.vectors.a, json.vectors.b]) expect(Object.keys(vector)).toEqual(Object.keys(allKnobs));
    expect(json.vectors.b['kernel.pamtReset']).toBe('always');
  });

  it('suggests the nearest profile and subcommand', async () => {
    expect(expectMisuse(await profile(['diff', '7.1', 'host-v11']))).toMatch(
      /unknown profile 'host-v11' \(did you mean 'host-v12'\?\)/,
    );
    expect(expectMisuse(await profile(['diff', 'x'.repeat(20), '7.1']))).toMatch(/unknown profile 'x+'; valid: 7\.1, /);
    expect(expectMisuse(await profile(['diff', '7.1']))).toMatch(/missing required argument/);
    expect(expectMisuse(await profile(['dif']))).toMatch(/unknown command 'dif'.*diff/);
  });
});
