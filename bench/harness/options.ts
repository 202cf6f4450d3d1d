/** Arguments of `npm run bench` and `npm run bench:counts`: a mistake is one line and exit status 2. */
import { Command, CommanderError } from 'commander';

export const EXIT_MISUSE = 2;

/** What is wrong with the call, in one line. */
export class Misuse extends Error {
  override readonly name = 'Misuse';
}

export interface BenchOptions {
  readonly filter: string | null;
  readonly quick: boolean;
  readonly json: boolean;
  readonly list: boolean;
  readonly enforce: boolean;
}

export interface CountsOptions {
  readonly update: boolean;
  readonly counters: boolean;
  readonly filter: string | null;
}

/** Null when commander printed the help. Throws {@link Misuse}. */
function parse(command: Command, argv: readonly string[]): Record<string, unknown> | null {
  command
    .exitOverride()
    .allowExcessArguments(false)
    .configureOutput({ writeErr: () => {}, outputError: () => {} });
  try {
    return command.parse(argv, { from: 'user' }).opts();
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return null;
    throw new Misuse(error.message.replace(/^error: /, '').replaceAll('\n', ' '));
  }
}

function text(value: unknown): string | null {
  if (value === undefined) return null;
  if (String(value).trim() === '') throw new Misuse('--filter is empty: give a part of a name, for instance sept');
  return String(value);
}

export function benchOptions(argv: readonly string[]): BenchOptions | null {
  const command = new Command('npm run bench --')
    .description('Measures the memory core and compares it with its targets.')
    .option('--filter <words>', 'only benches whose name and parameters hold all these words')
    .option('--quick', 'few samples and no bench that needs gigabytes')
    .option('--json', 'print the result file instead of the table')
    .option('--list', 'print the names and run nothing')
    .option('--enforce', 'exit status 1 when a target is missed, beyond doubt');
  const found = parse(command, argv);
  if (!found) return null;
  const flag = (name: string): boolean => found[name] === true;
  return { filter: text(found.filter), quick: flag('quick'), json: flag('json'), list: flag('list'), enforce: flag('enforce') };
}

export function countsOptions(argv: readonly string[]): CountsOptions | null {
  const command = new Command('npm run bench:counts --')
    .description('Counts instructions and model events of every hot operation and compares them with bench/baseline/counts.json.')
    .option('--update', 'rewrite the baseline: the commit says why')
    .option('--counters', 'model counters only: no valgrind')
    .option('--filter <words>', 'only operations whose name holds all these words');
  const found = parse(command, argv);
  if (!found) return null;
  const options = { update: found.update === true, counters: found.counters === true, filter: text(found.filter) };
  if (options.update && options.filter) throw new Misuse('--update rewrites the whole baseline: leave --filter out');
  return options;
}
