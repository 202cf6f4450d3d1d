import type { Point } from './coverage.mjs';

interface Share {
  readonly hit: number;
  readonly all: number;
}
export interface Summary {
  readonly files: readonly {
    readonly file: string;
    readonly lines: Share;
    readonly branches: Share;
    readonly functions: Share;
  }[];
  readonly lines: Share;
  readonly branches: Share;
  readonly functions: Share;
}
export function summarize(points: readonly Point[], counts: readonly number[]): Summary;
export function lcov(summary: Summary): string;
export function table(summary: Summary): string;
export function missList(summary: Summary): string[];
export function shortfalls(
  summary: Summary,
  floors: Readonly<Partial<Record<'lines' | 'branches' | 'functions', number>>>,
): string[];
