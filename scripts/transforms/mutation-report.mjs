// Verdicts as text: a score for each file, and every mutant that lives.

const NOTICED = new Set(['killed', 'out of fuel', 'timeout', 'crashed']);
export const isKilled = ({ verdict }) => NOTICED.has(verdict);
const percent = (part, all) => (all === 0 ? 100 : (100 * part) / all);

/** `count` of the numbers, drawn by lot: the same ones for the same seed. */
export function draw(numbers, count, seed) {
  const left = [...numbers];
  const drawn = [];
  let state = seed >>> 0;
  while (drawn.length < count && left.length > 0) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    drawn.push(...left.splice(Math.floor((state / 2 ** 32) * left.length), 1));
  }
  return drawn;
}

export const survivors = (results) =>
  results
    .filter((result) => !isKilled(result))
    .sort((a, b) => (a.file < b.file ? -1 : a.file > b.file ? 1 : a.line - b.line || a.column - b.column))
    .map(
      ({ file, line, column, from, to, verdict }) => `${verdict}: ${file}:${line}:${column} ${oneLine(from)} -> ${oneLine(to)}`,
    );

const oneLine = (text) => text.replaceAll(/\s+/g, ' ');

function row(name, width, results) {
  const count = (verdict) => results.filter((result) => result.verdict === verdict).length;
  const killed = results.filter(isKilled).length;
  const endless = killed - count('killed');
  const score = `${percent(killed, results.length).toFixed(1).padStart(5)} %`;
  const cells = [results.length, killed, endless, count('survived'), count('not reached')];
  return `${name.padEnd(width)}  ${score}${cells.map((cell) => String(cell).padStart(12)).join('')}`;
}

/** `score`: percent killed. */
export function scoreTable(results) {
  const files = [...new Set(results.map(({ file }) => file))].sort();
  const width = Math.max(16, ...files.map((file) => file.length));
  const head = `${' '.repeat(width)}    score${['mutants', 'killed', 'of endless', 'survived', 'not reached'].map((cell) => cell.padStart(12)).join('')}`;
  const rows = files.map((file) =>
    row(
      file,
      width,
      results.filter((result) => result.file === file),
    ),
  );
  const text = [head, ...rows, row('in all', width, results)].join('\n');
  return { text, score: percent(results.filter(isKilled).length, results.length) };
}
