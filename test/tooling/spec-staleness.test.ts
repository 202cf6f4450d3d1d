import { spawnSync } from 'node:child_process';
import { appendFileSync, cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
let copy: string;

const generate = (...options: string[]) =>
  spawnSync(process.execPath, [join(copy, 'scripts/generate-spec.mjs'), ...options], { encoding: 'utf8' });

beforeEach(() => {
  copy = mkdtempSync(join(tmpdir(), 'seamline-spec-'));
  for (const part of ['scripts', 'spec', 'src/spec', 'assembly/spec'])
    cpSync(join(root, part), join(copy, part), { recursive: true });
});
afterEach(() => rmSync(copy, { recursive: true, force: true }));

describe('generate-spec --check', () => {
  it('finds the checked-in files current', () => {
    expect(generate('--check')).toMatchObject({ status: 0, stderr: '' });
  });

  it.each(['src/spec/leaves.ts', 'assembly/spec/counters.ts'])(
    'fails on an edited %s and names it; generating mends it',
    (file) => {
      appendFileSync(join(copy, file), '// by hand\n');
      const check = generate('--check');
      expect(check.status).toBe(1);
      expect(check.stderr).toContain(`stale: ${file}`);
      expect(generate().status).toBe(0);
      expect(readFileSync(join(copy, file), 'utf8')).toBe(readFileSync(join(root, file), 'utf8'));
      expect(generate('--check').status).toBe(0);
    },
  );

  it('fails when the data changed and the constants did not', () => {
    const data = join(copy, 'spec/errno.json');
    writeFileSync(data, readFileSync(data, 'utf8').replace('"EINVAL", 22', '"EINVAL", 23').replace('"EINVAL",22', '"EINVAL",23'));
    const check = generate('--check');
    expect(check.status).toBe(1);
    expect(check.stderr).toContain('stale: src/spec/errno.ts');
    expect(check.stderr).not.toContain('leaves.ts');
  });

  it('fails on a generated file that nothing generates any more, and leaves hand-written ones alone', () => {
    const text = readFileSync(join(copy, 'src/spec/leaves.ts'), 'utf8');
    writeFileSync(join(copy, 'src/spec/old.ts'), text);
    writeFileSync(join(copy, 'src/spec/by-hand.ts'), 'export const x = 1;\n');
    const check = generate('--check');
    expect(check.status).toBe(1);
    expect(check.stderr).toContain('not generated from spec/: src/spec/old.ts');
    expect(check.stderr).not.toContain('by-hand');
  });
});
