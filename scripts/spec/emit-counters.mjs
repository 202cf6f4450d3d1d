import { constants, header, pack, quote, screamingSnake } from './text.mjs';

export function emit(read) {
  const { counters } = read('counters');
  const ts = `${header('counters')}${constants(
    'COUNTER',
    counters.map(([name, doc], i) => [name, `${i}`, doc]),
    "Index of each of the core's counters.",
  )}
export type CounterName = keyof typeof COUNTER;

/** Counter names by index. */
export const COUNTER_NAMES: readonly CounterName[] = [
${pack(counters.map(([name]) => quote(name)))}
];
`;
  const assembly = `${header('counters')}${counters
    .map(([name, doc], i) => `/** ${doc} */\nexport const COUNTER_${screamingSnake(name)}: i32 = ${i};`)
    .join('\n')}\n\nexport const COUNTER_COUNT: i32 = ${counters.length};\n`;
  return { 'src/spec/counters.ts': ts, 'assembly/spec/counters.ts': assembly };
}
