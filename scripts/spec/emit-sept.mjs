import { constants, header, hex, identifier, pack } from './text.mjs';

const mask = (row) => hex([...row].reduce((m, c, i) => m | (c === 'Y' ? 1 << i : 0), 0));
const one = (bit) => 1n << BigInt(bit);
const span = (at, bits) => ((1n << BigInt(bits)) - 1n) << BigInt(at);

export function emit(read) {
  const s = read('sept');
  const index = Object.fromEntries(s.states.map(([name, i]) => [name, i]));
  const pairs = (rows) => rows.map(([from, to]) => `[${index[from]}, ${index[to]}]`).join(', ');
  const byCode = Array.from({ length: 128 }, (_, code) => s.states.find(([, , c]) => Number(c) === code)?.[1] ?? -1);
  const ts = [
    `${header('sept').trimEnd()}\n`,
    constants(
      'SEPT',
      [
        ...s.bits.map(([name, bit, doc]) => [name, `${hex(one(bit))}n`, doc]),
        ...s.fields.map(([name, at, bits, doc]) => [`${name}_MASK`, `${hex(span(at, bits))}n`, doc]),
        ...s.fields.map(([name, at]) => [`${name}_SHIFT`, `${at}n`]),
        ['FREE', `${s.free}n`, 'value of a free entry: not zero'],
      ],
      'Bits of an S-EPT entry.',
    ),
    constants(
      'L2_SEPT',
      s.l2bits.map(([name, bit]) => [name, `${hex(one(bit))}n`]),
      'Bits of an L2 S-EPT entry that differ.',
    ),
    constants(
      'SEPT_STATE',
      s.states.map(([name, i, code, number]) => [name, `${i}`, `code ${code}, returned as ${number}`]),
      'Entry states by index.',
    ),
    'export type SeptStateName = keyof typeof SEPT_STATE;\n',
    `/** 7-bit code of each state: ${s.stateCode.note}. */\nexport const SEPT_STATE_CODE: readonly number[] = [${s.states.map(([, , c]) => c).join(', ')}];\n`,
    `/** The number by which leaves return each state. */\nexport const SEPT_STATE_NUMBER: readonly number[] = [${s.states.map(([, , , n]) => n).join(', ')}];\n`,
    `/** State index by code, -1 where no state has the code. */\nexport const SEPT_STATE_BY_CODE: readonly number[] = [\n${pack(byCode.map(String))}\n];\n`,
    constants(
      'SEPT_FLAG',
      s.flags.map(([name, row]) => [name, mask(row)]),
      'Sets of states, one bit a state index.',
    ),
    constants(
      'SEPT_ACCEPTS',
      s.accepts.map(([leaf, row]) => [identifier(leaf), mask(row)]),
      'States that a leaf accepts, one bit a state index.',
    ),
    `/** What TDH.MEM.RANGE.BLOCK and UNBLOCK make of a state. */\nexport const SEPT_BLOCKED: ReadonlyMap<number, number> = new Map([${pairs(s.blockedState)}]);\nexport const SEPT_UNBLOCKED: ReadonlyMap<number, number> = new Map([${pairs(s.unblockedState)}]);\n`,
    constants(
      'L2_SEPT_STATE',
      s.l2states.map(([name, code]) => [name, code]),
      'Codes of L2 entry states.',
    ),
    constants(
      'L2_SEPT_STATE_NUMBER',
      s.l2states.map(([name, , n]) => [name, `${n}`]),
      'The numbers by which leaves return them.',
    ),
    constants(
      'SEPT_LEVEL',
      s.levels.map(([name, n]) => [name, `${n}`]),
      'Level numbers.',
    ),
  ];
  const assembly = `${header('sept')}${s.bits
    .map(([name, bit, doc]) => `${doc ? `/** ${doc} */\n` : ''}export const SEPT_${name}: u64 = ${hex(one(bit))};`)
    .join('\n')}
${s.fields.map(([name, at, bits, doc]) => `${doc ? `/** ${doc} */\n` : ''}export const SEPT_${name}_MASK: u64 = ${hex(span(at, bits))};`).join('\n')}
/** Value of a free entry: not zero. */
export const SEPT_FREE: u64 = ${s.free};
`;
  return { 'src/spec/sept-tables.ts': ts.join('\n'), 'assembly/spec/sept.ts': assembly };
}
