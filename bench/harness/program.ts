/** What both programs of bench/ share: one clear line for misuse, never a stack trace for it. */
import { EXIT_MISUSE, Misuse } from './options.ts';

export async function runProgram(name: string, program: () => Promise<number>): Promise<void> {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
  try {
    process.exitCode = await program();
  } catch (error) {
    if (!(error instanceof Misuse)) throw error;
    process.stderr.write(`${name}: ${error.message}\n`);
    process.exitCode = EXIT_MISUSE;
  }
}
