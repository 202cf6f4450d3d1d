export interface Point {
  readonly kind: 'function' | 'statement' | 'branch';
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly name?: string;
  readonly block?: number;
}
export function compileCounting(
  args: readonly string[],
  files?: Readonly<Record<string, string>>,
): Promise<{ binary: Uint8Array<ArrayBuffer>; points: readonly Point[] }>;
