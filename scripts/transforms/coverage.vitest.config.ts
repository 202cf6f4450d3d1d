/** The core's tests on the counting build (scripts/coverage-assembly.mjs). */
import { readFileSync } from 'node:fs';
import { defineConfig } from 'vitest/config';
import { EMBEDDED_CORE, embeddedText } from './core-module.mjs';

const binary = process.env.SEAMLINE_CORE_WASM!;

export default defineConfig({
  root: new URL('../..', import.meta.url).pathname,
  plugins: [
    {
      name: 'counting-core',
      enforce: 'pre',
      load: (id) => (EMBEDDED_CORE.test(id) ? embeddedText(readFileSync(binary)) : null),
    },
  ],
  test: {
    include: ['test/core/**/*.test.ts', 'test/lab/stress/oracle.test.ts'],
    // The first runs in a browser; the next three compile assembly/, or crypto/ by itself; the last ones are long and reach little that is new.
    exclude: ['test/core/**/*.browser.test.ts', 'test/core/shared/**', 'test/core/crypto/**', 'test/core/memory/**'],
    setupFiles: ['scripts/transforms/coverage-setup.ts'],
    testTimeout: 120_000,
  },
});
