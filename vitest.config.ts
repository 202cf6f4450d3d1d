import { existsSync } from 'node:fs';
import { playwright } from '@vitest/browser-playwright';
import { defineConfig, type TestProjectConfiguration } from 'vitest/config';

const chromium = process.env.SEAMLINE_CHROMIUM ?? '/usr/bin/chromium';
const browserFiles = ['test/core/**/*.browser.test.ts', 'test/core/shared/**/*.test.ts'];
const packageFiles = ['test/package/**/*.test.ts'];

const node: TestProjectConfiguration = {
  test: {
    name: 'node',
    include: ['test/**/*.test.ts'],
    exclude: ['test/**/*.browser.test.ts', ...packageFiles],
    testTimeout: 60_000,
  },
};

/** The package as its users get it: needs `npm run build` first, and a package registry. */
const packed: TestProjectConfiguration = {
  test: { name: 'package', include: packageFiles, testTimeout: 300_000, hookTimeout: 300_000 },
};

const browser: TestProjectConfiguration = {
  test: {
    name: 'browser',
    include: browserFiles,
    testTimeout: 120_000,
    browser: {
      enabled: true,
      headless: true,
      screenshotFailures: false,
      provider: playwright({
        launchOptions: {
          executablePath: chromium,
          args: [
            '--headless',
            '--no-sandbox',
            '--disable-gpu',
            '--disable-quic',
            '--no-first-run',
            '--disable-background-networking',
            '--disable-component-update',
            '--disable-sync',
          ],
        },
      }),
      instances: [{ browser: 'chromium' }],
    },
  },
};

const hasBrowser = existsSync(chromium);
if (!hasBrowser) {
  const message = `no Chromium at ${chromium}: the browser tests do not run (set SEAMLINE_CHROMIUM to another one)`;
  if (process.env.SEAMLINE_REQUIRE_CHROMIUM) throw new Error(message);
  console.warn(message);
}

const reports = process.env.SEAMLINE_TEST_REPORT;

export default defineConfig({
  test: {
    projects: hasBrowser ? [node, packed, browser] : [node, packed],
    ...(reports && { reporters: ['default', 'json'], outputFile: { json: reports } }),
  },
});
