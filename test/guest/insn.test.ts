import { describe, expect, it } from 'vitest';
import { decodeMmio, type MmioInstruction } from '../../src/guest/insn.ts';

type Expected = Partial<MmioInstruction> | null;

/** Bytes → what the kernel makes of them. Lengths were assembled by hand from SDM volume 2, tables 2-2 and A-2. */
const ACCEPTED: readonly (readonly [string, readonly number[], Expected])[] = [
  ['mov [rdi], al', [0x88, 0x07], { kind: 'write', size: 1, register: 0, length: 2 }],
  ['mov [rdi], ax', [0x66, 0x89, 0x07], { kind: 'write', size: 2, operandSize: 2, length: 3 }],
  ['mov [rdi], eax', [0x89, 0x07], { kind: 'write', size: 4, operandSize: 4, length: 2 }],
  ['mov [rdi], rax', [0x48, 0x89, 0x07], { kind: 'write', size: 8, operandSize: 8, length: 3 }],
  ['mov [rdi], r15d', [0x44, 0x89, 0x3f], { kind: 'write', size: 4, register: 15, length: 3 }],
  ['mov [rdi], ah', [0x88, 0x27], { kind: 'write', size: 1, register: 0, highByte: true, length: 2 }],
  ['mov [rdi], spl', [0x40, 0x88, 0x27], { kind: 'write', size: 1, register: 4, highByte: false, length: 3 }],
  ['mov byte [rdi], 0x5a', [0xc6, 0x07, 0x5a], { kind: 'write-imm', size: 1, immediate: 0x5an, length: 3 }],
  ['mov word [rdi], 0x1234', [0x66, 0xc7, 0x07, 0x34, 0x12], { kind: 'write-imm', size: 2, immediate: 0x1234n, length: 5 }],
  [
    'mov dword [rdi+8], 0x12345678',
    [0xc7, 0x47, 0x08, 0x78, 0x56, 0x34, 0x12],
    { kind: 'write-imm', size: 4, immediate: 0x12345678n, length: 7 },
  ],
  [
    'mov qword [rdi], -2 (sign-extended imm32)',
    [0x48, 0xc7, 0x07, 0xfe, 0xff, 0xff, 0xff],
    { kind: 'write-imm', size: 8, immediate: 0xfffffffffffffffen, length: 7 },
  ],
  ['mov al, [rdi]', [0x8a, 0x07], { kind: 'read', size: 1, length: 2 }],
  ['mov eax, [rdi]', [0x8b, 0x07], { kind: 'read', size: 4, length: 2 }],
  ['mov rax, [rip+0x1000]', [0x48, 0x8b, 0x05, 0, 0x10, 0, 0], { kind: 'read', size: 8, length: 7 }],
  ['mov eax, [rsp+rcx*4+0x80]', [0x8b, 0x84, 0x8c, 0x80, 0, 0, 0], { kind: 'read', size: 4, length: 7 }],
  ['mov eax, [rbp*1+disp32] (SIB without base)', [0x8b, 0x04, 0x2d, 0, 0, 0, 0], { kind: 'read', size: 4, length: 7 }],
  ['movzx eax, byte [rdi]', [0x0f, 0xb6, 0x07], { kind: 'read-zero-extend', size: 1, operandSize: 4, length: 3 }],
  ['movzx rax, word [rdi]', [0x48, 0x0f, 0xb7, 0x07], { kind: 'read-zero-extend', size: 2, operandSize: 8, length: 4 }],
  ['movsx ax, byte [rdi]', [0x66, 0x0f, 0xbe, 0x07], { kind: 'read-sign-extend', size: 1, operandSize: 2, length: 4 }],
  [
    'movsx r9, word [rdi]',
    [0x4c, 0x0f, 0xbf, 0x0f],
    { kind: 'read-sign-extend', size: 2, operandSize: 8, register: 9, length: 4 },
  ],
  ['movsb', [0xa4], { kind: 'movs', size: 1, length: 1 }],
  ['movsq', [0x48, 0xa5], { kind: 'movs', size: 8, length: 2 }],
];

const REFUSED: readonly (readonly [string, readonly number[]])[] = [
  ['movsxd rax, [rdi]', [0x48, 0x63, 0x07]],
  ['mov eax, edi (no memory operand)', [0x8b, 0xc7]],
  ['add [rdi], eax', [0x01, 0x07]],
  ['xchg [rdi], eax', [0x87, 0x07]],
  ['mov al, moffs', [0xa0, 0, 0, 0, 0, 0, 0, 0, 0]],
  ['movnti [rdi], eax', [0x0f, 0xc3, 0x07]],
  ['nothing', []],
  ['a prefix and nothing', [0x66]],
  ['an immediate that ends too early', [0xc7, 0x07, 0x12, 0x34]],
];

describe('MMIO instruction decoder', () => {
  it.each(ACCEPTED)('[S3-21] accepts %s', (_name, code, expected) => {
    expect(decodeMmio(Uint8Array.from(code))).toMatchObject(expected!);
  });

  it.each(REFUSED)('[S3-21] refuses %s', (_name, code) => {
    expect(decodeMmio(Uint8Array.from(code))).toBeNull();
  });

  it('never looks past the bytes and never claims more than 15 of them', () => {
    for (let seed = 0; seed < 20_000; seed++) {
      const code = Uint8Array.from({ length: seed % 16 }, (_, i) => ((seed * 2654435761 + i * 40503) >>> 7) & 0xff);
      const decoded = decodeMmio(code);
      if (decoded) expect(decoded.length).toBeLessThanOrEqual(code.length);
    }
  });
});
