/** How long and how often everything is measured. */
export interface Protocol {
  /** Interleaved rounds of a ratio. */
  readonly pairs: number;
  /** One side of a round lasts at least this long. */
  readonly sideMs: number;
  readonly warmupMs: number;
  /** Sampling time of a row that is not a ratio. */
  readonly timeMs: number;
  /** Fresh processes of the start-up row. */
  readonly processes: number;
  readonly seed: number;
  readonly interleaved: true;
}

export const DEFAULT: Protocol = {
  pairs: 21,
  sideMs: 8,
  warmupMs: 100,
  timeMs: 400,
  processes: 20,
  seed: 1,
  interleaved: true,
};
/** To see that everything runs; the figures are rough. */
export const QUICK: Protocol = { ...DEFAULT, pairs: 5, sideMs: 2, warmupMs: 20, timeMs: 60, processes: 3 };
