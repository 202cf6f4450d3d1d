import { emitStructs } from './struct.mjs';
import { constants, header, hex } from './text.mjs';

const elementSize = (id) => 1 << Number((BigInt(id) >> 32n) & 3n);
const classOf = (id) => Number((BigInt(id) >> 56n) & 63n);

function metadataType(id, fields, elements) {
  const size = elementSize(id);
  const item = elements > 1 ? `bytes:${size * elements}` : `u${8 * size}`;
  return fields > 1 ? `${item}[${fields}]` : item;
}

/** The fields of TDR, TDCS, TDVPS and VE_INFO are those that metadata access knows, at the module's offsets, and a few more. */
function completed({ fromMetadata, fields, ...rest }, metadata, noStorage) {
  if (!fromMetadata) return { fields, ...rest };
  const { ctx, classes, except } = fromMetadata;
  const known = metadata[ctx]
    .filter(([name, id]) => {
      const c = classOf(id);
      return c >= classes[0] && c <= classes[1] && c !== except && !noStorage.includes(name);
    })
    .map(([name, id, count, elements, , offset]) => [name, Number(offset), metadataType(id, count, elements)]);
  return { ...rest, fields: [...known, ...fields].sort((a, b) => a[1] - b[1]) };
}

/** The VMCS fields in their order, each aligned to its size. */
function placedVmcs({ firstOffset, page, fields, doc }) {
  let at = page * 4096 + firstOffset;
  const placed = fields.map(([name, encoding, size]) => {
    at = Math.ceil(at / size) * size;
    const row = [name, at, `u${8 * size}`, `VMCS ${encoding}`];
    at += size;
    return row;
  });
  if (at > (page + 1) * 4096) throw new Error('the VMCS fields do not fit into a page');
  return { size: 4096, doc: doc.replace(/\.$/, ''), fields: placed };
}

export function emit(read) {
  const layouts = read('layouts');
  const metadata = read('metadata');
  const structures = Object.fromEntries(
    Object.entries(layouts.structs).map(([name, struct]) => [name, completed(struct, metadata, layouts.noStorage)]),
  );
  structures.TD_VMCS = placedVmcs(layouts.vmcs);
  const { text, imports } = emitStructs(structures);
  const bits = Object.entries(layouts.bits).map(([name, table]) =>
    constants(
      name,
      table.bits.map(([bit, n]) => [bit, `${hex(1n << BigInt(n))}n`]),
      table.doc,
    ),
  );
  const out = [
    header('layouts').trimEnd(),
    imports,
    text,
    constants(
      'VMCS_ENCODING',
      layouts.vmcs.fields.map(([n, e]) => [n, hex(e)]),
      'VMCS field encodings: field codes of metadata class 0 in the VP context.',
    ),
    constants(
      'TDCS_PAGE',
      layouts.tdcsPages.map(([n, v]) => [n, `${v}`]),
      'Page index inside TDCS of what fills a page.',
    ),
    ...bits,
    ...layouts.constants.map(([n, v, doc]) => `/** ${n.replace('_FIXED', ' fixed')}: ${doc}. */\nexport const ${n} = ${v}n;\n`),
    constants(
      'LIMIT',
      layouts.limits.map(([n, v, doc]) => [n, v >= 4096 ? hex(v) : `${v}`, doc]),
      'Limits and alignments of the module.',
    ),
  ];
  return { 'src/spec/layouts.ts': out.join('\n') };
}
