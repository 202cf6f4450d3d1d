/** Ctrl-C: the first one asks, the second one kills. */

/** Signals that end a run in good order, and the status that the shell knows them by (128 + number). */
export const SIGNAL_STATUS = { SIGINT: 130, SIGTERM: 143 } as const;
export type StopSignal = keyof typeof SIGNAL_STATUS;

/**
 * npx forwards the signal that the terminal has sent to all of its children already: one Ctrl-C arrives twice.
 * Nobody presses it twice within this time and means it.
 */
const ECHO_MS = 300;

/** Calls `stop` at the first signal; a later one has its usual effect. Returns how to stop listening. */
export function onStopSignal(stop: (signal: StopSignal) => void): () => void {
  const names = Object.keys(SIGNAL_STATUS) as StopSignal[];
  let first: number | undefined;
  const release = (): void => {
    for (const name of names) process.off(name, listen);
  };
  const listen = (signal: NodeJS.Signals): void => {
    if (first === undefined) {
      first = performance.now();
      stop(signal as StopSignal);
    } else if (performance.now() - first > ECHO_MS) {
      release();
      process.kill(process.pid, signal);
    }
  };
  for (const name of names) process.on(name, listen);
  return release;
}
