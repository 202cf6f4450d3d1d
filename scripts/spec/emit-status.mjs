import { constants, header, hex, number, pack, quote } from './text.mjs';

const high32 = (code) => Number(BigInt(code) >> 32n);
const wide = (code) => `0x${BigInt(code).toString(16).padStart(16, '0')}n`;
const named = (rows) => rows.map(([name, code, doc]) => `/** ${doc} */\nexport const ${name} = ${wide(code)};`).join('\n');

export function emit(read) {
  const { statuses, operands, classes, linux, linuxMismatch } = read('status');
  const withOperand = statuses.filter(([, , kind]) => kind === 'operand').map(([name]) => name);
  const codes = `${header('status')}${named(statuses.map(([n, c, , doc]) => [n, c, doc]))}

${named(linux)}

${named(linuxMismatch.map(([name, code, doc]) => [`LINUX_${name}`, code, doc]))}
`;
  const tables = `${header('status')}${constants(
    'OPERAND',
    operands.map(([name, id, doc]) => [name, `${id}n`, doc]),
    'Operand ids: bits 31:0 of a status that names an operand.',
  )}
export type OperandName = keyof typeof OPERAND;

/** Bits 63:32 of the statuses whose bits 31:0 hold an operand id. */
export const STATUSES_WITH_OPERAND: ReadonlySet<number> = new Set([
${pack(statuses.filter(([name]) => withOperand.includes(name)).map(([, code]) => hex(high32(code))))}
]);

/** Names of the status classes (bits 47:40). */
export const STATUS_CLASSES: ReadonlyMap<number, string> = new Map([
${pack(classes.map(([id, name]) => `[${number(id)}, ${quote(name)}]`))}
]);
`;
  return { 'src/spec/status-codes.ts': codes, 'src/spec/status-tables.ts': tables };
}
