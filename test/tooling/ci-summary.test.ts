import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const script = fileURLToPath(new URL('../../scripts/ci-summary.mjs', import.meta.url));
let reports: string;

beforeEach(() => {
  reports = mkdtempSync(join(tmpdir(), 'seamline-reports-'));
});
afterEach(() => rmSync(reports, { recursive: true, force: true }));

/** A report as vitest writes it. */
function report(name: string, statuses: readonly ('passed' | 'failed' | 'pending')[], brokenFiles = 0): void {
  const count = (status: string) => statuses.filter((s) => s === status).length;
  const assertionResults = statuses.map((status, i) => ({
    status,
    fullName: `${name} ${i}`,
    failureMessages: ['Error: no\n  at x'],
  }));
  const broken = Array.from({ length: brokenFiles }, () => ({ status: 'failed', assertionResults: [] }));
  const text = {
    numPassedTests: count('passed'),
    numFailedTests: count('failed'),
    numPendingTests: count('pending'),
    numTodoTests: 0,
    testResults: [{ status: count('failed') > 0 ? 'failed' : 'passed', assertionResults }, ...broken],
  };
  writeFileSync(join(reports, `${name}.json`), JSON.stringify(text));
}

function summary(stepFailed = '0'): { status: number | null; last: string | undefined; text: string } {
  const { status, stdout } = spawnSync(process.execPath, [script, reports, stepFailed], { encoding: 'utf8' });
  return { status, last: stdout.trimEnd().split('\n').at(-1), text: stdout };
}

describe('the last line of .ci/run', () => {
  it('sums the reports and succeeds when all passed', () => {
    report('a', ['passed', 'passed', 'pending']);
    report('b', ['passed']);
    expect(summary()).toMatchObject({ status: 0, last: '3 passed, 0 failed' });
    expect(summary().text).toContain('skipped a 2');
  });

  it('counts failed tests and files that do not load', () => {
    report('a', ['passed', 'failed'], 1);
    const { status, last, text } = summary();
    expect({ status, last }).toEqual({ status: 1, last: '1 passed, 2 failed' });
    expect(text).toContain('FAILED a 1: Error: no');
  });

  it('is not clean when another step failed, or when no test ran', () => {
    expect(summary()).toMatchObject({ status: 1, last: '0 passed, 1 failed' });
    report('a', ['passed']);
    expect(summary('1')).toMatchObject({ status: 1, last: '1 passed, 1 failed' });
    expect(summary('0')).toMatchObject({ status: 0, last: '1 passed, 0 failed' });
  });
});
