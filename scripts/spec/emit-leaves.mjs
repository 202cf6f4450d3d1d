import { bigint, constants, header, identifier, pack, quote } from './text.mjs';

const key = (name) => identifier(name.slice(name.indexOf('.') + 1));
const table = (name, rows, doc) =>
  constants(
    name,
    rows.map(([leaf, n, , summary]) => [key(leaf), bigint(n), `${leaf}: ${summary}`]),
    doc,
  );
const numbers = (name, rows, leaves, doc) => {
  const value = (leaf) => bigint(rows.find(([n]) => n === leaf)[1]);
  return `/** ${doc} */\nexport const ${name}: ReadonlySet<bigint> = new Set([${leaves.map(value).join(', ')}]);\n`;
};
const versions = (name, rows, doc) =>
  `/** ${doc} */\nexport const ${name}: ReadonlyMap<bigint, number> = new Map([\n${pack(rows.map(([n, v]) => `[${bigint(n)}, ${v}]`))}\n]);\n`;

export function emit(read) {
  const { host, guest, seamldr, versions15Kvm, beforeReady, afterShutdown, unknownToDispatcher } = read('leaves');
  const versioned = (rows) => rows.filter(([, , highest]) => highest > 0).map(([, n, highest]) => [n, highest]);
  const kvm = Object.entries(versions15Kvm).map(([leaf, v]) => [host.find(([n]) => n === leaf)[1], v]);
  const text = [
    `${header('leaves').trimEnd()}\n`,
    table('TDH', host, 'Host leaves of SEAMCALL: bits 15:0 of RAX.'),
    table('TDG', guest, 'Guest leaves of TDCALL: bits 15:0 of RAX.'),
    table('SEAMLDR', seamldr, 'Leaves of the P-SEAMLDR: SEAMCALL with bit 63 of RAX set.'),
    versions(
      'TDH_VERSIONS',
      versioned(host),
      'Host leaves that know a version above 0 (RAX bits 23:16), and the highest (leaf-checks §0).',
    ),
    versions('TDH_VERSIONS_1_5_KVM', [...versioned(host), ...kvm], 'The same for the module profile 1.5-kvm (assumed).'),
    versions('TDG_VERSIONS', versioned(guest), 'Guest leaves that know a version above 0, and the highest.'),
    numbers('TDH_BEFORE_READY', host, beforeReady, 'Host leaves that the module answers before its global state is READY.'),
    numbers('TDH_AFTER_SHUTDOWN', host, afterShutdown, 'Host leaves that it still answers in SHUTDOWN.'),
    numbers('TDH_UNDISPATCHED', host, unknownToDispatcher, 'Leaves with a number but no entry in the dispatcher.'),
    `const names = (prefix: string, table: Readonly<Record<string, bigint>>): ReadonlyMap<bigint, string> =>
  new Map(Object.entries(table).map(([key, number]) => [number, \`\${prefix}.\${key.replaceAll('_', '.')}\`]));

/** Leaf number → printable name, for example 2n → ${quote('TDH.MEM.PAGE.ADD')}. */
export const TDH_NAMES = /* @__PURE__ */ names('TDH', TDH);
export const TDG_NAMES = /* @__PURE__ */ names('TDG', TDG);
export const SEAMLDR_NAMES = /* @__PURE__ */ names('SEAMLDR', SEAMLDR);

/** The name of the leaf that a SEAMCALL with this RAX addresses. */
export const seamcallName = (rax: bigint): string =>
  rax >> 63n ? (SEAMLDR_NAMES.get(rax) ?? \`SEAMLDR(0x\${rax.toString(16)})\`) : (TDH_NAMES.get(rax & 0xffffn) ?? \`TDH(0x\${rax.toString(16)})\`);

/** The name of the leaf that a TDCALL with this RAX addresses. */
export const tdcallName = (rax: bigint): string => TDG_NAMES.get(rax & 0xffffn) ?? \`TDG(0x\${rax.toString(16)})\`;
`,
  ];
  return { 'src/spec/leaves.ts': text.join('\n') };
}
