// An import is an access right (docs: DESIGN §1): if the real component cannot reach a thing, its code cannot import it.

/** Who may import whom. A room may always import itself; what is not listed is forbidden. Entries are path prefixes. */
export const arrows = {
  'src/spec': [],
  // One file of plain constants is compiled by both compilers: the structs that cross the boundary.
  bindings: ['assembly/layout.ts', 'src/spec'],
  'src/platform': ['bindings', 'src/spec'],
  'src/firmware': ['src/platform', 'src/spec'],
  'src/tdx-module': ['src/platform', 'src/spec'],
  'src/linux': ['src/platform', 'src/spec'],
  'src/kvm': ['src/linux', 'src/platform', 'src/spec'],
  // A VMM is a process: it has system calls, and it may yield as all software does.
  'src/vmm': ['src/platform/software.ts', 'src/spec'],
  // A guest has a virtual CPU, exceptions and what it may yield; the rest of the platform is the host's.
  'src/guest': [
    'src/platform/guest-',
    'src/platform/virtual-cpu.ts',
    'src/platform/software.ts',
    'src/platform/exceptions.ts',
    'src/spec',
  ],
  'src/lab': [
    'bindings',
    'src/spec',
    'src/platform',
    'src/firmware',
    'src/tdx-module',
    'src/linux',
    'src/kvm',
    'src/vmm',
    'src/guest',
  ],
  // Oracles share no code with the model: they look at it through the probe.
  'src/lab/oracles': ['src/platform/probe.ts', 'src/spec'],
  'src/cli': ['src/lab', 'src/spec'],
  // A bench uses the core as its users do; its peers are models of their own, and oracles say whether a result is right.
  bench: ['assembly/layout.ts', 'bindings', 'src/lab', 'src/spec', 'test/oracle'],
  'bench/peers': ['src/spec'],
  // The eager oracle must not know how the core does it, only what it may be asked.
  'test/oracle': ['bindings/memory-core.ts', 'src/spec'],
};

const ours = '^(assembly|bindings|src|test|bench|scripts|web)/';
const literal = (path) => path.replaceAll('.', '\\.');
/** A room, a file, or what begins with a prefix that ends in a dash. */
const within = (path) => (/\.ts$/.test(path) ? `^${literal(path)}$` : path.endsWith('-') ? `^${path}` : `^${path}/`);
/** Rooms inside a room have rows of their own. */
const inner = (room) => Object.keys(arrows).filter((other) => other.startsWith(`${room}/`));

const rooms = Object.entries(arrows).map(([room, allowed]) => ({
  name: `${room.replaceAll('/', '-')}-reaches-only-its-own`,
  comment: `${room} may import ${[room, ...allowed].join(', ')}; see the table in .dependency-cruiser.mjs.`,
  severity: 'error',
  from: { path: within(room), ...(inner(room).length > 0 && { pathNot: inner(room).map(within) }) },
  to: { path: ours, pathNot: [room, ...allowed].map(within) },
}));

export default {
  forbidden: [
    ...rooms,
    {
      name: 'no-node-outside-cli',
      comment: 'The library runs in a browser: only src/cli may import Node modules.',
      severity: 'error',
      from: { path: '^(src|bindings)/', pathNot: '^src/cli/' },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'no-cycles',
      comment: 'Two files that import each other are one file, or lack a third.',
      severity: 'error',
      from: { path: '^(src|bindings)/' },
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'resolvable',
      comment: 'The import points to nothing.',
      severity: 'error',
      from: { path: ours },
      to: { couldNotResolve: true, pathNot: 'bindings/wasm-inline\\.ts$' },
    },
    {
      name: 'declared-packages-only',
      comment: 'What the library imports at run time stands in dependencies.',
      severity: 'error',
      from: { path: '^(src|bindings)/' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'], dependencyTypesNot: ['type-only'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(dist|coverage)/' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      extensions: ['.ts', '.mjs', '.js'],
      exportsFields: ['exports'],
      conditionNames: ['import', 'types', 'default'],
    },
  },
};
