// From points and counts to a table, a list of what was missed, and an lcov file.

const share = ({ hit, all }) => (all === 0 ? 100 : (100 * hit) / all);
const tally = (counts) => ({ hit: counts.filter((count) => count > 0).length, all: counts.length });

function group(items, keyOf) {
  const groups = new Map();
  for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item]);
  return groups;
}

/** A line counts as run when some statement that begins on it ran. */
function linesOf(points) {
  const lines = new Map();
  for (const { kind, line, count } of points) if (kind === 'statement') lines.set(line, Math.max(lines.get(line) ?? 0, count));
  return lines;
}

function missesOf(file, lines, branches, functions) {
  const dead = functions.filter(({ count }) => count === 0);
  return [
    ...dead.map(({ line, column, name }) => ({ file, line, column, what: `function ${name}` })),
    ...[...lines].filter(([, count]) => count === 0).map(([line]) => ({ file, line, column: 0, what: 'line' })),
    ...branches.filter(({ count }) => count === 0).map(({ line, column, name }) => ({ file, line, column, what: name })),
  ].sort((a, b) => a.line - b.line || a.column - b.column);
}

/** `counts[i]`: how many machines passed `points[i]`. */
export function summarize(points, counts) {
  const counted = points.map((point, i) => ({ ...point, count: counts[i] ?? 0 }));
  const files = [...group(counted, ({ file }) => file)]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([file, own]) => {
      const lines = linesOf(own);
      const branches = own.filter(({ kind }) => kind === 'branch');
      const functions = own.filter(({ kind }) => kind === 'function');
      return {
        file,
        lines: tally([...lines.values()]),
        branches: tally(branches.map(({ count }) => count)),
        functions: tally(functions.map(({ count }) => count)),
        misses: missesOf(file, lines, branches, functions),
        detail: { lines, branches, functions },
      };
    });
  const total = (what) =>
    files.reduce((sum, file) => ({ hit: sum.hit + file[what].hit, all: sum.all + file[what].all }), { hit: 0, all: 0 });
  return { files, lines: total('lines'), branches: total('branches'), functions: total('functions') };
}

export function lcov({ files }) {
  const record = ({ file, lines, branches, functions, detail }) => [
    `SF:${file}`,
    ...detail.functions.map(({ line, name }) => `FN:${line},${name}`),
    ...detail.functions.map(({ count, name }) => `FNDA:${count},${name}`),
    `FNF:${functions.all}`,
    `FNH:${functions.hit}`,
    ...detail.branches.map(({ line, block, name, count }) => `BRDA:${line},${block},${name},${count || '-'}`),
    `BRF:${branches.all}`,
    `BRH:${branches.hit}`,
    ...[...detail.lines].sort(([a], [b]) => a - b).map(([line, count]) => `DA:${line},${count}`),
    `LF:${lines.all}`,
    `LH:${lines.hit}`,
    'end_of_record',
  ];
  return `${files.flatMap(record).join('\n')}\n`;
}

const column = ({ hit, all }) => `${share({ hit, all }).toFixed(1).padStart(6)} % ${`${hit}/${all}`.padStart(10)}`;

export function table(summary) {
  const rows = [...summary.files, { ...summary, file: 'assembly/ in all' }];
  const width = Math.max(...rows.map(({ file }) => file.length));
  return rows
    .map(({ file, lines, branches }) => `${file.padEnd(width)}  lines ${column(lines)}  branches ${column(branches)}`)
    .join('\n');
}

export const missList = ({ files }) =>
  files.flatMap(({ misses }) =>
    misses.map(({ file, line, column, what }) => `${file}:${line}${column ? `:${column}` : ''} ${what}`),
  );

/** What falls short of the floors (percentages): one line each. */
export function shortfalls(summary, floors) {
  return Object.entries(floors)
    .filter(([what, floor]) => share(summary[what]) < floor)
    .map(([what, floor]) => `${what}: ${share(summary[what]).toFixed(2)} % are run, the floor is ${floor} %`);
}
