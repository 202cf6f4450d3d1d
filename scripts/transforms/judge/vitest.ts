/** As much of vitest as the core's tests use, collected into units that can be run one by one, many times over. */
import { JestAsymmetricMatchers, JestChaiExpect, JestExtend } from '@vitest/expect';
import * as chai from 'chai';
import { use } from 'chai';

use(JestExtend);
use(JestChaiExpect);
use(JestAsymmetricMatchers);
export const expect: Chai.ExpectStatic = chai.expect;

type Body = (...args: unknown[]) => unknown;
type Hook = () => unknown;
interface Scope {
  readonly name: string;
  readonly before: Hook[];
  readonly after: Hook[];
}

/** One test with the hooks around it. */
export interface Unit {
  readonly name: string;
  run(): Promise<void>;
}

export const units: Unit[] = [];
const scopes: Scope[] = [{ name: '', before: [], after: [] }];

function within(name: string, body: Body, args: readonly unknown[] = []): void {
  scopes.push({ name, before: [], after: [] });
  body(...args);
  scopes.pop();
}

function collect(name: string, body: Body, args: readonly unknown[] = []): void {
  const around = [...scopes];
  const run = async (): Promise<void> => {
    for (const scope of around) for (const hook of scope.before) await hook();
    try {
      await body(...args);
    } finally {
      for (const scope of around.toReversed()) for (const hook of scope.after) await hook();
    }
  };
  units.push({ name: [...around.slice(1).map((scope) => scope.name), name].join(' > '), run });
}

type Collector = (name: string, body: Body, args?: readonly unknown[]) => void;

function withVariants(one: Collector) {
  const plain = (name: string, body: Body): void => one(name, body);
  const each = (rows: readonly unknown[]) => (name: string, body: Body) =>
    rows.forEach((row, i) => {
      one(`${name} [${i}]`, body, Array.isArray(row) ? row : [row]);
    });
  const skip = (): void => undefined;
  const when = (condition: unknown) => (condition ? plain : skip);
  return Object.assign(plain, { each, skip, runIf: when, skipIf: (condition: unknown) => when(!condition) });
}

export const describe = withVariants(within);
export const it = withVariants(collect);
export const test = it;
const innermost = (): Scope => scopes[scopes.length - 1]!;
export const beforeAll = (hook: Hook): void => void innermost().before.push(hook);
export const beforeEach = beforeAll;
export const afterAll = (hook: Hook): void => void innermost().after.push(hook);
export const afterEach = afterAll;
