// Structures as objects of field accessors (src/spec/field.ts).
import { key } from './text.mjs';

/** Names in natural order (u8 before u16), as the linter wants imports. */
export const natural = (names) => [...new Set(names)].sort((a, b) => a.localeCompare(b, 'en', { numeric: true })).join(', ');

const scalar = { u8: ['u8', 1], u16: ['u16', 2], u32: ['u32', 4], u64: ['u64', 8] };

/** Expression for one field, and the helpers of field.ts it needs. */
function expression(type, offset, sizes) {
  const [, item, count] = /^([^[]+)(?:\[(\d*)\])?$/.exec(type);
  if (count === undefined) {
    if (scalar[item]) return { text: `${scalar[item][0]}(${offset})`, uses: [item] };
    if (item === 'u40') return { text: `wide(${offset}, 5)`, uses: ['wide'] };
    return { text: `raw(${offset}, ${item.slice('bytes:'.length)})`, uses: ['raw'] };
  }
  if (scalar[item]) return { text: `array(${item}, ${offset}, ${count})`, uses: ['array', item] };
  if (item.startsWith('bytes:')) {
    return { text: `array((at) => raw(at, ${item.slice('bytes:'.length)}), ${offset}, ${count})`, uses: ['array', 'raw'] };
  }
  return { text: `structs(${sizes[item]}, ${offset}, ${count || 0})`, uses: ['structs'] };
}

/** Fields named `a.b` become nested objects. */
function nest(fields) {
  const tree = new Map();
  for (const [name, ...rest] of fields) {
    const path = name.split('.');
    let node = tree;
    for (const part of path.slice(0, -1)) {
      if (!node.has(part)) node.set(part, new Map());
      node = node.get(part);
    }
    node.set(path.at(-1), rest);
  }
  return tree;
}

/** Text of all structures and the import line it needs; `elements` are structures of another file that arrays are made of. */
export function emitStructs(structures, { prefix = '', elements = {} } = {}) {
  const sizes = Object.fromEntries(Object.entries({ ...elements, ...structures }).map(([name, { size }]) => [name, size]));
  const uses = new Set();
  const lines = (tree, indent) =>
    [...tree].map(([name, value]) => {
      if (value instanceof Map) return `${indent}${key(name)}: {\n${lines(value, `${indent}  `).join('\n')}\n${indent}},`;
      const [offset, type, remark] = value;
      const { text, uses: used } = expression(type, offset, sizes);
      for (const use of used) uses.add(use);
      return `${remark ? `${indent}/** ${remark} */\n` : ''}${indent}${key(name)}: ${text},`;
    });
  const text = Object.entries(structures).map(
    ([name, { size, fields, doc }]) =>
      `${doc ? `/** ${doc}. */\n` : ''}export const ${prefix}${name} = {\n  SIZE: ${size},\n${lines(nest(fields), '  ').join('\n')}\n} as const;\n`,
  );
  return { text: text.join('\n'), imports: `import { ${natural(uses)} } from './field.ts';\n` };
}
