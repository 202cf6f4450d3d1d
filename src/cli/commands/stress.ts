import type { Command } from 'commander';
import { STRESS_SHARDS } from '../../lab/stress/shards.ts';
import { collect, refuseRepeats } from '../run-options.ts';
import type { StressHost } from '../stress/command.ts';
import type { StressFlags } from '../stress/options.ts';

const HELP = `
A program is a footprint of memory, a pattern that picks lines, and a mix of
operations. Flags go over PROGRAM.json or the preset, both over the default:
  {"footprint": "1GiB", "pattern": {"kind": "zipf", "s": 1},
   "mix": {"load": 70, "store": 30}}
The JSON output is such a file, too. Stress has defaults of its own for
hw.cache.*: sets=0 (no bound), ways=16, policy=lru.

The same program, seed and --ops give the same digest, whatever --workers is.
A shard that runs out of memory ends, the others go on: where each ends, and the
digest, depend on the program and --max-memory alone.
Ctrl-C ends the run with the results so far and no digest (null in JSON), for
chance decides where it stops; a second one kills it.

Exit status: 0 every operation done, 2 bad input, out of memory or no room for
the output, 130 interrupted (143 by SIGTERM, 129 by SIGHUP).

Examples:
  seamline stress --list
  seamline stress --preset attack --ops 100M
  seamline stress --pattern zipf:1.2 --mix load=70,store=30 --footprint 64GiB
  seamline stress --set hw.crypto=eager --ops 1e6 --json
`;

/** Adds `stress`: high-volume traffic over the memory core. */
export function registerStress(program: Command, host: StressHost = { streams: process }): void {
  const command = program
    .command('stress')
    .description('run random traffic over the memory core, with every rule of the memory law on')
    .argument('[program.json]', 'stress program; default: see --list')
    .option('--preset <name>', 'program with a name (see --list)')
    .option('--pattern <kind>', 'lines to go to, with numbers if you like: zipf:1.2')
    .option('--mix <weights>', 'operations to do: load=4,store=2,wbinvd=0.001')
    .option('--ops <count>', 'operations in all: 1e9, 500M; default: 100M')
    .option('--footprint <size>', 'memory in use: 4096, 512MiB, 64GiB')
    .option('--packages <number>', 'CPU packages, 1 to 8')
    .option('--seed <number>', '64-bit seed of every draw and key')
    .option('--set <knob=value>', 'change a hardware rule; may be repeated (see seamline knobs)', collect)
    .option('--workers <number>', 'threads; default: one a core')
    .option(
      '--max-memory <size>',
      `limit of each of the ${STRESS_SHARDS} shards; default: 4GiB or its part of this computer's memory`,
    )
    .option('--list', 'list patterns, operations, presets and faults, and run nothing')
    .option('--json', 'print JSON')
    .addHelpText('after', HELP)
    .action(async (file: string | undefined, flags: StressFlags) => {
      // The pool and the schemas take longer to load than most commands to run.
      const { runStress } = await import('../stress/command.ts');
      await runStress(file, flags, host);
    });
  refuseRepeats(command);
}
