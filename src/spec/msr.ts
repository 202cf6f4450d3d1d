import { type MSR_CONDITIONS, MSR_ROWS } from './msr-tables.ts';

export { MSR, MSR_CONDITIONS } from './msr-tables.ts';

export type MsrAction = 'native' | 've' | 'gp' | 'emulated';
export type MsrCondition = keyof typeof MSR_CONDITIONS;

/** What an access does: always the same, or by a property of the TD ({@link MSR_CONDITIONS}). */
export interface MsrRule {
  readonly condition: MsrCondition | undefined;
  readonly whenTrue: MsrAction;
  /** Equal to `whenTrue` where there is no condition. */
  readonly whenFalse: MsrAction;
}

export interface MsrRange {
  readonly name: string;
  readonly first: number;
  readonly last: number;
  readonly read: MsrRule;
  readonly write: MsrRule;
}

function rule(text: string): MsrRule {
  const match = /^(\w+)\?(\w+):(\w+)$/.exec(text);
  if (!match) return { condition: undefined, whenTrue: text as MsrAction, whenFalse: text as MsrAction };
  return { condition: match[1] as MsrCondition, whenTrue: match[2] as MsrAction, whenFalse: match[3] as MsrAction };
}

let parsed: readonly MsrRange[] | undefined;

/** The module's MSR virtualisation table, ascending. An MSR without a row is #VE. */
export function msrRanges(): readonly MsrRange[] {
  parsed ??= MSR_ROWS.trim()
    .split('\n')
    .map((line) => {
      const [first, last, read, write, ...name] = line.split(' ') as [string, string, string, string, ...string[]];
      return {
        name: name.join(' '),
        first: Number.parseInt(first, 16),
        last: Number.parseInt(last, 16),
        read: rule(read),
        write: rule(write),
      };
    });
  return parsed;
}

/** The row of an MSR, undefined where the table has none. */
export const findMsr = (index: number): MsrRange | undefined =>
  msrRanges().find(({ first, last }) => index >= first && index <= last);
