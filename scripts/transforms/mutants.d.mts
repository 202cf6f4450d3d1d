export interface Mutant {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly from: string;
  readonly to: string;
}
export function compileSwitching(
  args: readonly string[],
  options?: { isChosen?(path: string): boolean; files?: Readonly<Record<string, string>> },
): Promise<{ binary: Uint8Array<ArrayBuffer>; mutants: readonly Mutant[] }>;
