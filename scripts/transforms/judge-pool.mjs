// Runs the judge: once to record the plain core, then some of it side by side, each with one mutant at a time.
import { fork } from 'node:child_process';

/** Behind the fuel: for a loop that never enters the core. */
const PATIENCE_MS = 120_000;

export function recordBaseline(bundle, file) {
  return new Promise((done, failed) => {
    const judge = fork(bundle, ['record', file], { execArgv: ['--max-old-space-size=8192'] });
    let summary;
    judge.on('message', (message) => {
      summary = message;
    });
    judge.on('exit', (status) => (summary ? done(summary) : failed(new Error(`the judge ended with status ${status}`))));
  });
}

/** One judge process: `ask(mutant)` resolves with its verdict; a judge that hangs or dies is replaced. */
class Judge {
  #start;
  #child;

  constructor(bundle, file, effort) {
    this.#start = () => fork(bundle, ['judge', file, String(effort)], { execArgv: ['--max-old-space-size=8192'] });
  }

  async #ready() {
    if (this.#child) return;
    this.#child = this.#start();
    await new Promise((done) => this.#child.once('message', done));
  }

  async ask(mutant) {
    await this.#ready();
    const child = this.#child;
    return new Promise((done) => {
      const end = (verdict) => {
        clearTimeout(timer);
        child.removeAllListeners();
        done(verdict);
      };
      const giveUp = (verdict) => {
        this.#child = undefined;
        child.kill('SIGKILL');
        end({ mutant, verdict, ms: PATIENCE_MS });
      };
      const timer = setTimeout(() => giveUp('timeout'), PATIENCE_MS);
      child.once('exit', () => giveUp('crashed'));
      child.once('message', end);
      child.send(mutant);
    });
  }

  close() {
    this.#child?.kill();
  }
}

/** Verdicts on the `mutants` (numbers) that are judged before `minutes` are over, the first ones first. */
export async function judgeAll({ bundle, file, effort, workers, minutes }, mutants, progress) {
  const end = performance.now() + minutes * 60_000;
  const verdicts = new Map();
  const queue = [...mutants];
  const work = async () => {
    const judge = new Judge(bundle, file, effort);
    for (let mutant = queue.shift(); mutant !== undefined && performance.now() < end; mutant = queue.shift()) {
      verdicts.set(mutant, await judge.ask(mutant));
      progress(verdicts.size, mutants.length);
    }
    judge.close();
  };
  await Promise.all(Array.from({ length: workers }, work));
  return mutants.filter((mutant) => verdicts.has(mutant)).map((mutant) => verdicts.get(mutant));
}
