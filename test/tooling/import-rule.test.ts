import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const cruiser = join(root, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs');

interface Violation {
  readonly from: string;
  readonly to: string;
  readonly rule: { readonly name: string };
}

function cruise(directory: string, ...targets: string[]): { errors: number; violations: Violation[]; modules: number } {
  const run = spawnSync(
    process.execPath,
    [cruiser, '--config', join(root, '.dependency-cruiser.mjs'), '--output-type', 'json', ...targets],
    {
      cwd: directory,
      encoding: 'utf8',
      maxBuffer: 2 ** 28,
    },
  );
  const { summary } = JSON.parse(run.stdout);
  // The json reporter exits 0 whatever it finds; the count is what makes `npm run lint` fail.
  return { errors: summary.error, violations: summary.violations, modules: summary.totalCruised };
}

/** What each file of the fixture imports. */
const forbidden: readonly (readonly [file: string, target: string, rule: string])[] = [
  ['src/spec/a.ts', 'src/platform/platform.ts', 'src-spec-reaches-only-its-own'],
  ['bindings/a.ts', 'src/platform/platform.ts', 'bindings-reaches-only-its-own'],
  ['bindings/b.ts', 'assembly/cache.ts', 'bindings-reaches-only-its-own'],
  ['src/platform/a.ts', 'src/tdx-module/module.ts', 'src-platform-reaches-only-its-own'],
  ['src/firmware/a.ts', 'src/tdx-module/module.ts', 'src-firmware-reaches-only-its-own'],
  ['src/tdx-module/a.ts', 'src/guest/kernel.ts', 'src-tdx-module-reaches-only-its-own'],
  ['src/tdx-module/b.ts', 'src/linux/tdx.ts', 'src-tdx-module-reaches-only-its-own'],
  ['src/linux/a.ts', 'src/tdx-module/module.ts', 'src-linux-reaches-only-its-own'],
  ['src/linux/b.ts', 'src/firmware/bios.ts', 'src-linux-reaches-only-its-own'],
  ['src/linux/c.ts', 'bindings/index.ts', 'src-linux-reaches-only-its-own'],
  ['src/kvm/a.ts', 'src/tdx-module/module.ts', 'src-kvm-reaches-only-its-own'],
  ['src/kvm/b.ts', 'src/vmm/vmm.ts', 'src-kvm-reaches-only-its-own'],
  ['src/vmm/a.ts', 'src/linux/tdx.ts', 'src-vmm-reaches-only-its-own'],
  ['src/vmm/b.ts', 'src/kvm/kvm.ts', 'src-vmm-reaches-only-its-own'],
  ['src/vmm/c.ts', 'src/platform/platform.ts', 'src-vmm-reaches-only-its-own'],
  ['src/guest/a.ts', 'src/platform/platform.ts', 'src-guest-reaches-only-its-own'],
  ['src/guest/b.ts', 'src/kvm/kvm.ts', 'src-guest-reaches-only-its-own'],
  ['src/lab/a.ts', 'src/cli/main.ts', 'src-lab-reaches-only-its-own'],
  ['src/lab/oracles/a.ts', 'src/lab/machine.ts', 'src-lab-oracles-reaches-only-its-own'],
  ['src/lab/oracles/b.ts', 'src/platform/platform.ts', 'src-lab-oracles-reaches-only-its-own'],
  ['src/cli/a.ts', 'src/platform/platform.ts', 'src-cli-reaches-only-its-own'],
  ['src/linux/d.ts', 'test/helper.ts', 'src-linux-reaches-only-its-own'],
  ['test/oracle/a.ts', 'bindings/index.ts', 'test-oracle-reaches-only-its-own'],
  ['src/lab/node.ts', 'node:fs', 'no-node-outside-cli'],
  ['src/lab/undeclared.ts', 'vitest', 'declared-packages-only'],
  ['src/lab/lost.ts', 'src/lab/nowhere.ts', 'resolvable'],
];

const allowed: readonly (readonly [file: string, target: string])[] = [
  ['bindings/ok.ts', 'src/spec/leaves.ts'],
  ['bindings/ok2.ts', 'assembly/layout.ts'],
  ['src/platform/ok.ts', 'bindings/index.ts'],
  ['src/tdx-module/ok.ts', 'src/platform/platform.ts'],
  ['src/linux/ok.ts', 'src/platform/platform.ts'],
  ['src/kvm/ok.ts', 'src/linux/tdx.ts'],
  ['src/vmm/ok.ts', 'src/platform/software.ts'],
  ['src/guest/ok.ts', 'src/platform/virtual-cpu.ts'],
  ['src/guest/ok2.ts', 'src/platform/guest-memory.ts'],
  ['src/lab/ok.ts', 'src/tdx-module/module.ts'],
  ['src/lab/ok2.ts', 'src/lab/oracles/ok.ts'],
  ['src/lab/oracles/ok.ts', 'src/platform/probe.ts'],
  ['src/cli/ok.ts', 'src/lab/machine.ts'],
  ['src/cli/node.ts', 'node:fs'],
  ['test/oracle/ok.ts', 'bindings/memory-core.ts'],
];

let fixture: string;

function write(file: string, text: string): void {
  mkdirSync(dirname(join(fixture, file)), { recursive: true });
  writeFileSync(join(fixture, file), text);
}

function specifier(file: string, target: string): string {
  if (!target.includes('/')) return target;
  const path = relative(dirname(file), target);
  return path.startsWith('.') ? path : `./${path}`;
}

beforeAll(() => {
  fixture = mkdtempSync(join(tmpdir(), 'seamline-import-rule-'));
  write('package.json', JSON.stringify({ name: 'fixture', type: 'module', dependencies: {}, devDependencies: { vitest: '*' } }));
  write('node_modules/vitest/package.json', JSON.stringify({ name: 'vitest', version: '1.0.0', main: 'index.js' }));
  write('node_modules/vitest/index.js', 'export const x = 1;\n');
  for (const [, target] of [...forbidden, ...allowed]) {
    if (target.endsWith('.ts') && !target.endsWith('nowhere.ts')) write(target, 'export const x = 1;\n');
  }
  for (const [file, target] of [...forbidden, ...allowed]) {
    write(file, `import type { x } from '${specifier(file, target)}';\nexport type X = typeof x;\n`);
  }
  write('src/lab/undeclared.ts', "export { x } from 'vitest';\n");
  write('src/lab/ring-a.ts', "import { b } from './ring-b.ts';\nexport const a = (): unknown => b;\n");
  write('src/lab/ring-b.ts', "import { a } from './ring-a.ts';\nexport const b = (): unknown => a;\n");
});

afterAll(() => rmSync(fixture, { recursive: true, force: true }));

describe('the import rule', () => {
  it('reports every forbidden import of the fixture, type-only ones too, and no allowed one', () => {
    const { errors, violations } = cruise(fixture, 'src', 'bindings', 'test');
    const found = violations.filter(({ rule }) => rule.name !== 'no-cycles').map(({ from, rule }) => `${from}: ${rule.name}`);
    expect(found.sort()).toEqual(forbidden.map(([file, , rule]) => `${file}: ${rule}`).sort());
    expect(violations.filter(({ rule }) => rule.name === 'no-cycles').map(({ from }) => from)).toContain('src/lab/ring-a.ts');
    expect(errors).toBe(violations.length);
  });

  it('holds on the tree', () => {
    const { violations, modules } = cruise(root, 'src', 'bindings', 'test');
    expect(violations.map(({ from, to, rule }) => `${from} → ${to} (${rule.name})`)).toEqual([]);
    expect(modules).toBeGreaterThan(100);
  });
});
