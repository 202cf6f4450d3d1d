// node scripts/ci-summary.mjs DIRECTORY FAILED: sums vitest's JSON reports; the last line is "N passed, N failed".
// FAILED is 1 when a step outside the reports failed: that counts as one failure, so that the line never looks clean by mistake.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const [directory, stepFailed] = process.argv.slice(2);
const reports = readdirSync(directory)
  .filter((file) => file.endsWith('.json'))
  .map((file) => JSON.parse(readFileSync(join(directory, file), 'utf8')));
const sum = (count) => reports.reduce((total, report) => total + count(report), 0);

const passed = sum((report) => report.numPassedTests);
const skipped = sum((report) => report.numPendingTests + report.numTodoTests);
// A file that does not even load has no tests that could fail.
const brokenFiles = sum(
  (report) => report.testResults.filter((file) => file.status === 'failed' && file.assertionResults.length === 0).length,
);
const failures = sum((report) => report.numFailedTests) + brokenFiles;
const failed = failures === 0 && (stepFailed === '1' || passed === 0) ? 1 : failures;

for (const report of reports) {
  for (const file of report.testResults) {
    for (const { status, fullName, failureMessages } of file.assertionResults) {
      if (status === 'failed') console.log(`FAILED ${fullName}: ${failureMessages[0]?.split('\n')[0]}`);
      else if (status !== 'passed') console.log(`skipped ${fullName}`);
    }
  }
}
if (skipped > 0) console.log(`${skipped} skipped`);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
