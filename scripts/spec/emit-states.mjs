import { constants, header, hex, identifier } from './text.mjs';

const mask = (row) => hex([...row].reduce((m, c, i) => m | (c === 'Y' ? 1 << i : 0), 0));
const ids = (rows) => rows.map(([name, n]) => [name, `${n}`]);
const words = (rows) => rows.map(([name, v, doc]) => [name, `${hex(v)}n`, doc]);

const opState = (s) => `${header('op-state')}${constants('OP_STATE', ids(s.opStates), 'TDCS.OP_STATE.')}
export type OpStateName = keyof typeof OP_STATE;

/** OP_STATE names by value. */
export const OP_STATE_NAMES = [${s.opStates.map(([n]) => `'${n}'`).join(', ')}] as const satisfies readonly OpStateName[];

${constants(
  'OP_STATE_ALLOWED',
  s.allowed.map(([leaf, row]) => [identifier(leaf), mask(row)]),
  'OP_STATEs in which a leaf is allowed, one bit a state; leaves that are not here do not check.',
)}
/** OP_STATEs in which removing a mapping needs BLOCK and TRACK first, one bit a state. */
export const OP_STATE_TRACKED = ${hex(s.trackedIn.reduce((m, n) => m | (1 << s.opStates.find(([x]) => x === n)[1]), 0))};

/** Is the OP_STATE in the set (one bit a state)? */
export const inOpStates = (set: number, state: number): boolean => ((set >> state) & 1) === 1;
`;

const states = (s) => `${header('states')}${Object.entries(s.tables)
  .map(([name, { doc, values }]) => constants(name, ids(values), doc))
  .join('\n')}
${constants(
  'STEPPING',
  s.steppingConstants.map(([n, v]) => [n, v > 255 ? hex(v) : `${v}`]),
  'Constants of the stepping mitigation (td-exits §5).',
)}
${constants('INITIAL_VCPU', words(s.initialVcpu), 'Guest state that TDH.VP.INIT writes.')}`;

const tdvmcall = (
  s,
) => `${header('tdvmcall')}${constants('TDVMCALL', words(s.subfunctions), 'Sub-functions of TDG.VP.VMCALL in R11, when R10 is 0.')}
/** Sub-function names by number. */
export const TDVMCALL_NAMES: ReadonlyMap<bigint, string> = new Map(Object.entries(TDVMCALL).map(([name, number]) => [number, name]));

${constants('TDVMCALL_STATUS', words(s.status), 'Status of a TDVMCALL in R10.')}
/** Registers that Linux shares with the VMM: RDX, RBX, RSI, RDI, R8 to R15. */
export const TDVMCALL_EXPOSE_REGS_MASK = ${s.linuxRegisterMask}n;

/** KVM hands MapGPA to userspace in chunks of this many bytes. */
export const MAP_GPA_CHUNK = ${hex(s.mapGpaChunk)};

${constants('QUOTE_STATUS', words(s.quoteStatus), 'Status in the header of a quote buffer.')}`;

export function emit(read) {
  return {
    'src/spec/op-state.ts': opState(read('op-state')),
    'src/spec/states.ts': states(read('states')),
    'src/spec/tdvmcall.ts': tdvmcall(read('tdvmcall')),
  };
}
