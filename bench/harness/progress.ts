/** One line on a terminal that says what runs now; nothing elsewhere. */
import { Presets, SingleBar } from 'cli-progress';

export interface Progress {
  next(id: string): void;
  stop(): void;
}

const SILENT: Progress = { next: () => {}, stop: () => {} };

export function progress(total: number, stream: NodeJS.WriteStream): Progress {
  if (!stream.isTTY) return SILENT;
  const bar = new SingleBar(
    { format: '{bar} {value}/{total} {id}', stream, clearOnComplete: true, hideCursor: true, barsize: 24 },
    Presets.shades_classic,
  );
  bar.start(total, 0, { id: '' });
  let done = -1;
  return { next: (id) => bar.update(++done, { id }), stop: () => bar.stop() };
}
