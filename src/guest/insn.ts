/** A memory access by one instruction, decoded as far as Linux's insn_decode_mmio() goes. */
export interface MmioInstruction {
  readonly kind: 'write' | 'write-imm' | 'read' | 'read-zero-extend' | 'read-sign-extend' | 'movs';
  /** Bytes that go to or come from memory. */
  readonly size: 1 | 2 | 4 | 8;
  /** Operand size of the register side. */
  readonly operandSize: 2 | 4 | 8;
  /** Register in ModRM.reg, REX applied. For byte registers without REX, 4..7 are AH..BH. */
  readonly register: number;
  readonly highByte: boolean;
  readonly immediate: bigint;
  /** Whole instruction in bytes. */
  readonly length: number;
}

const OPERAND_SIZE_PREFIX = 0x66;
const LEGACY_PREFIXES: ReadonlySet<number> = new Set([
  OPERAND_SIZE_PREFIX,
  0x67,
  0xf0,
  0xf2,
  0xf3,
  0x26,
  0x2e,
  0x36,
  0x3e,
  0x64,
  0x65,
]);
const ESCAPE = 0x0f;

interface Opcode {
  readonly kind: MmioInstruction['kind'];
  /** Memory side; 0 = operand size. */
  readonly size: 0 | 1 | 2;
  readonly modrm: boolean;
}

/** Exactly what the kernel accepts (requirement S3-21); MOVS is recognised to be refused. Two-byte opcodes have 0x0f00 added. */
const OPCODES: ReadonlyMap<number, Opcode> = new Map([
  [0x88, { kind: 'write', size: 1, modrm: true }],
  [0x89, { kind: 'write', size: 0, modrm: true }],
  [0xc6, { kind: 'write-imm', size: 1, modrm: true }],
  [0xc7, { kind: 'write-imm', size: 0, modrm: true }],
  [0x8a, { kind: 'read', size: 1, modrm: true }],
  [0x8b, { kind: 'read', size: 0, modrm: true }],
  [0x0fb6, { kind: 'read-zero-extend', size: 1, modrm: true }],
  [0x0fb7, { kind: 'read-zero-extend', size: 2, modrm: true }],
  [0x0fbe, { kind: 'read-sign-extend', size: 1, modrm: true }],
  [0x0fbf, { kind: 'read-sign-extend', size: 2, modrm: true }],
  [0xa4, { kind: 'movs', size: 1, modrm: false }],
  [0xa5, { kind: 'movs', size: 0, modrm: false }],
]);

/** Decodes one 64-bit-mode instruction. Null: not an MMIO access that the kernel knows (or the bytes end too early). */
export function decodeMmio(code: Uint8Array): MmioInstruction | null {
  let at = 0;
  let small = false;
  while (LEGACY_PREFIXES.has(code[at] ?? -1)) small = code[at++] === OPERAND_SIZE_PREFIX || small;
  const rex = ((code[at] ?? 0) & 0xf0) === 0x40 ? code[at++]! : 0;
  const first = code[at++];
  if (first === undefined) return null;
  const opcode = OPCODES.get(first === ESCAPE ? 0x0f00 | (code[at++] ?? 0) : first);
  if (!opcode) return null;
  const operandSize = (rex & 8) !== 0 ? 8 : small ? 2 : 4;
  const size = opcode.size === 0 ? operandSize : opcode.size;
  const modrm = opcode.modrm ? (code[at] ?? 0) : 0;
  if (opcode.modrm) {
    if (modrm >> 6 === 3) return null;
    at += modrmLength(code, at);
  }
  const immediateLength = opcode.kind === 'write-imm' ? Math.min(size, 4) : 0;
  const length = at + immediateLength;
  if (length > code.length || length > 15) return null;
  const field = (modrm >> 3) & 7;
  const highByte = size === 1 && rex === 0 && field >= 4 && (opcode.kind === 'write' || opcode.kind === 'read');
  const register = highByte ? field - 4 : field | ((rex & 4) << 1);
  return { kind: opcode.kind, size, operandSize, register, highByte, immediate: signed(code, at, immediateLength, size), length };
}

/** Bytes of ModRM, SIB and displacement. */
function modrmLength(code: Uint8Array, at: number): number {
  const modrm = code[at] ?? 0;
  const mod = modrm >> 6;
  const rm = modrm & 7;
  const sib = rm === 4 ? 1 : 0;
  const base = sib ? (code[at + 1] ?? 0) & 7 : rm;
  const displacement = mod === 1 ? 1 : mod === 2 || (mod === 0 && base === 5) ? 4 : 0;
  return 1 + sib + displacement;
}

/** An immediate, sign-extended to the access as C7 /0 does. */
function signed(code: Uint8Array, at: number, length: number, size: number): bigint {
  let value = 0n;
  for (let i = 0; i < length; i++) value |= BigInt(code[at + i]!) << BigInt(8 * i);
  return BigInt.asUintN(8 * size, BigInt.asIntN(8 * Math.max(length, 1), value));
}
