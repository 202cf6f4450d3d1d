import { emitStructs, natural } from './struct.mjs';
import { header, hex, pack, quote } from './text.mjs';

const flat = (rows) =>
  rows.map(([name, value]) => `export const ${name} = ${Number(value) > 255 ? hex(value) : Number(value)};`).join('\n');
const union = (name, rows) =>
  `/** Names by number. */\nexport const ${name}: ReadonlyMap<number, string> = new Map([\n${pack(rows.map(([n]) => `[${n}, ${quote(n)}]`))}\n]);\n`;

function upstream(spec) {
  const { text, imports } = emitStructs(spec.structs);
  const scope = ([name, ioctls]) => `  ${name}: [\n${pack(ioctls, '    ')}\n  ],`;
  const list = (rows) => rows.map((row) => Number.parseInt(row, 16));
  const { single, ranges, refused } = spec.msrAllowList;
  return `${header('kvm-uapi').trimEnd()}
${imports}
${['ioctls', 'capabilities', 'vmTypes', 'exitReasons', 'flags', 'mpStates', 'tdxCommands', 'limits'].map((g) => flat(spec[g])).join('\n\n')}

/** Which file descriptor answers an ioctl. */
export const IOCTL_SCOPE = {
${Object.entries(spec.scopes).map(scope).join('\n')}
} as const;

${union(
  'IOCTL_NAMES',
  spec.ioctls.filter(([, v], i, all) => all.findIndex(([, w]) => w === v) === i),
)}
${union('EXIT_REASON_NAMES', spec.exitReasons)}
${union('TDX_COMMAND_NAMES', spec.tdxCommands.slice(0, -1))}
/** MSRs that KVM emulates for a TD: single numbers, inclusive ranges, what the ranges refuse, and what is read-only. */
export const TD_MSRS = {
  single: [
${pack(list(single).map(hex), '    ')}
  ],
  ranges: [
${pack(
  ranges.map(([a, b]) => `[${a}, ${b}]`),
  '    ',
)}
  ],
  refused: [
${pack(list(refused).map(hex), '    ')}
  ],
  readOnly: [
${pack(list(single.filter((row) => row.includes('read only'))).map(hex), '    ')}
  ],
} as const;

${text}`;
}

function v10(spec, elements) {
  const doc = emitStructs(spec.doc, { prefix: 'doc_', elements });
  const code = emitStructs(spec.code, { prefix: 'code_', elements });
  const names = (imports) => /\{ (.*) \}/.exec(imports)[1].split(', ');
  const imports = `import { ${natural([...names(doc.imports), ...names(code.imports)])} } from './field.ts';\n`;
  return `${header('kvm-uapi-v10').trimEnd()}
${imports}
${['capabilities', 'vmTypes', 'flags', 'tdxCommands'].map((g) => flat(spec[g])).join('\n\n')}

// As the documentation of the series prints them.
${doc.text}
// As the code of the series has them.
${code.text}`;
}

export function emit(read) {
  return {
    'src/spec/kvm-uapi.ts': upstream(read('kvm-uapi')),
    'src/spec/kvm-uapi-v10.ts': v10(read('kvm-uapi-v10'), read('kvm-uapi').structs),
  };
}
