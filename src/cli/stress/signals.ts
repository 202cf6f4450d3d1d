/** Ctrl-C: the first one asks, the second one kills. */

/** Signals that end a run in good order, and the status that the shell knows them by (128 + number). */
export const SIGNAL_STATUS = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;
export type StopSignal = keyof typeof SIGNAL_STATUS;

/**
 * npx forwards the signal that the terminal has sent to all of its children already: one Ctrl-C arrives twice.
 * Nobody presses it twice within this time and means it.
 */
const ECHO_MS = 300;

/** A signal that came when nobody knew yet what to stop. */
interface Early {
  readonly release: () => void;
  signal?: StopSignal;
}
let early: Early | undefined;

/** Keeps signals for the {@link onStopSignal} to come: what is loaded in between takes longer than a user needs for Ctrl-C. */
export function holdStopSignals(): void {
  const held: Early = {
    release: listenFor((signal) => {
      held.signal = signal;
    }),
  };
  early = held;
}

/** Calls `stop` at the first signal, one that was held included; a later one has its usual effect. Returns how to stop listening. */
export function onStopSignal(stop: (signal: StopSignal) => void): () => void {
  const { signal, release } = early ?? {};
  early = undefined;
  const result = listenFor(stop, signal !== undefined);
  release?.();
  if (signal !== undefined) stop(signal);
  return result;
}

function listenFor(stop: (signal: StopSignal) => void, stopped = false): () => void {
  const names = Object.keys(SIGNAL_STATUS) as StopSignal[];
  let first = stopped ? performance.now() : undefined;
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
