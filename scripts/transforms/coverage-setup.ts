/** Before each test file: counts the points that its machines pass, and writes the counts down behind its last test. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { addImports } from './core-module.mjs';

const counts = new Map<number, number>();
const covered = (point: number): void => void counts.set(point, (counts.get(point) ?? 0) + 1);
addImports(() => ({ covered }));

afterAll(() => {
  const directory = process.env.SEAMLINE_COVERAGE!;
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, `${process.pid}-${crypto.randomUUID()}.json`), JSON.stringify([...counts]));
});
