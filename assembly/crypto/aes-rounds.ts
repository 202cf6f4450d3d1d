/**
 * AES (FIPS 197) on bit planes: eight blocks at once, no tables, no branch on data. The S-boxes are circuits published by Boyar and
 * Peralta, in their names: "A new combinational logic minimization technique with applications to cryptology" (2010) forward, "A
 * depth-16 circuit for the AES S-box" (2011) back. The S-box's constant 0x63 lies in the round keys.
 */
import { PLANES_BYTES } from './planes';

function xor(a: v128, b: v128): v128 {
  return v128.xor(a, b);
}

function and(a: v128, b: v128): v128 {
  return v128.and(a, b);
}

function shiftRows(a: v128): v128 {
  return i8x16.swizzle(a, i8x16(0, 5, 10, 15, 4, 9, 14, 3, 8, 13, 2, 7, 12, 1, 6, 11));
}

/** ShiftRows, then the next row of each column. */
function shiftRowsUp(a: v128): v128 {
  return i8x16.swizzle(a, i8x16(5, 10, 15, 0, 9, 14, 3, 4, 13, 2, 7, 8, 1, 6, 11, 12));
}

/** The next row of each column. */
function nextRow(a: v128): v128 {
  return i8x16.swizzle(a, i8x16(1, 2, 3, 0, 5, 6, 7, 4, 9, 10, 11, 8, 13, 14, 15, 12));
}

/** The next row but one of each column. */
function rowAfterNext(a: v128): v128 {
  return i8x16.swizzle(a, i8x16(2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13));
}

/** MixColumns of a plane: with d = a + next row, 2·d + next row + d two rows on. */
function mix(next: v128, doubled: v128, d: v128): v128 {
  return xor(xor(next, doubled), rowAfterNext(d));
}

/** Encrypts the planes in place with the `rounds` + 1 round keys at `keys`. */
export function encryptPlanes(planes: usize, keys: usize, rounds: u32): void {
  let p0 = v128.load(planes, 0);
  let p1 = v128.load(planes, 16);
  let p2 = v128.load(planes, 32);
  let p3 = v128.load(planes, 48);
  let p4 = v128.load(planes, 64);
  let p5 = v128.load(planes, 80);
  let p6 = v128.load(planes, 96);
  let p7 = v128.load(planes, 112);
  const end = keys + <usize>rounds * PLANES_BYTES;
  while (true) {
    const x0 = xor(p0, v128.load(keys, 0));
    const x1 = xor(p1, v128.load(keys, 16));
    const x2 = xor(p2, v128.load(keys, 32));
    const x3 = xor(p3, v128.load(keys, 48));
    const x4 = xor(p4, v128.load(keys, 64));
    const x5 = xor(p5, v128.load(keys, 80));
    const x6 = xor(p6, v128.load(keys, 96));
    const x7 = xor(p7, v128.load(keys, 112));
    keys += PLANES_BYTES;

    const y14 = xor(x4, x2);
    const y13 = xor(x7, x1);
    const y9 = xor(x7, x4);
    const y8 = xor(x7, x2);
    const t0 = xor(x6, x5);
    const y1 = xor(t0, x0);
    const y4 = xor(y1, x4);
    const y12 = xor(y13, y14);
    const y2 = xor(y1, x7);
    const y5 = xor(y1, x1);
    const y3 = xor(y5, y8);
    const t1 = xor(x3, y12);
    const y15 = xor(t1, x2);
    const y20 = xor(t1, x6);
    const y6 = xor(y15, x0);
    const y10 = xor(y15, t0);
    const y11 = xor(y20, y9);
    const y7 = xor(x0, y11);
    const y17 = xor(y10, y11);
    const y16 = xor(t0, y11);
    const t2 = and(y12, y15);
    const t7 = and(y13, y16);
    const t12 = and(y9, y11);
    const t14 = xor(and(y14, y17), t12);
    const t16 = xor(and(y8, y10), t12);
    const t17 = xor(xor(and(y3, y6), t2), y20);
    const t18 = xor(xor(and(y4, x0), t2), t16);
    const t19 = xor(xor(and(y5, y1), t7), t14);
    const t20 = xor(xor(and(y2, y7), t7), t16);
    const t21 = xor(t17, t14);
    const t22 = xor(t18, xor(y10, y8));
    const t23 = xor(t19, xor(y13, y16));
    const t24 = xor(t20, xor(x7, y16));
    const t25 = xor(t21, t22);
    const t26 = and(t21, t23);
    const t27 = xor(t24, t26);
    const t29 = xor(and(t25, t27), t22);
    const t33 = xor(and(xor(t22, t26), xor(t23, t24)), t24);
    const t36 = and(t24, xor(t27, t33));
    const t37 = xor(t36, xor(t23, t33));
    const t40 = xor(t25, and(t29, xor(t27, t36)));
    const t41 = xor(t40, t37);
    const t42 = xor(t29, t33);
    const t43 = xor(t29, t40);
    const t44 = xor(t33, t37);
    const t45 = xor(t42, t41);
    const z2 = and(t33, x0);
    const z3 = and(t43, y16);
    const z4 = and(t40, y1);
    const z5 = and(t29, y7);
    const z7 = and(t45, y17);
    const z10 = and(t37, y3);
    const z12 = and(t43, y13);
    const z16 = and(t45, y14);
    const t46 = xor(and(t42, y9), z16);
    const t48 = xor(z5, and(t40, y5));
    const t53 = xor(and(t44, y15), z3);
    const t57 = xor(xor(z2, z12), t53);
    const t58 = xor(z4, t46);
    const t59 = xor(z3, xor(and(t42, y11), z7));
    const t62 = xor(xor(z7, and(t41, y10)), t58);
    const t63 = xor(xor(and(t44, y12), z10), t58);
    const t64 = xor(z4, t59);
    const t65 = xor(xor(and(t29, y2), t57), t62);
    const t66 = xor(and(t37, y6), t63);
    const s7 = xor(t59, t63);
    const s1 = xor(xor(z12, t48), t62);
    const s0 = xor(t48, xor(t46, t57));
    const s4 = xor(t53, t66);
    const s3 = xor(xor(z2, z5), t66);
    const s2 = xor(xor(z10, and(t33, y4)), t65);
    const s6 = xor(t64, s4);
    const s5 = xor(xor(z16, and(t41, y8)), xor(t64, t65));

    if (keys == end) {
      v128.store(planes, xor(shiftRows(s0), v128.load(keys, 0)), 0);
      v128.store(planes, xor(shiftRows(s1), v128.load(keys, 16)), 16);
      v128.store(planes, xor(shiftRows(s2), v128.load(keys, 32)), 32);
      v128.store(planes, xor(shiftRows(s3), v128.load(keys, 48)), 48);
      v128.store(planes, xor(shiftRows(s4), v128.load(keys, 64)), 64);
      v128.store(planes, xor(shiftRows(s5), v128.load(keys, 80)), 80);
      v128.store(planes, xor(shiftRows(s6), v128.load(keys, 96)), 96);
      v128.store(planes, xor(shiftRows(s7), v128.load(keys, 112)), 112);
      return;
    }
    const n7 = shiftRowsUp(s7);
    const d7 = xor(shiftRows(s7), n7);
    const n0 = shiftRowsUp(s0);
    const d0 = xor(shiftRows(s0), n0);
    p0 = mix(n0, d7, d0);
    const n1 = shiftRowsUp(s1);
    const d1 = xor(shiftRows(s1), n1);
    p1 = mix(n1, xor(d0, d7), d1);
    const n2 = shiftRowsUp(s2);
    const d2 = xor(shiftRows(s2), n2);
    p2 = mix(n2, d1, d2);
    const n3 = shiftRowsUp(s3);
    const d3 = xor(shiftRows(s3), n3);
    p3 = mix(n3, xor(d2, d7), d3);
    const n4 = shiftRowsUp(s4);
    const d4 = xor(shiftRows(s4), n4);
    p4 = mix(n4, xor(d3, d7), d4);
    const n5 = shiftRowsUp(s5);
    const d5 = xor(shiftRows(s5), n5);
    p5 = mix(n5, d4, d5);
    const n6 = shiftRowsUp(s6);
    const d6 = xor(shiftRows(s6), n6);
    p6 = mix(n6, d5, d6);
    p7 = mix(n7, d6, d7);
  }
}

function inverseShiftRows(a: v128): v128 {
  return i8x16.swizzle(a, i8x16(0, 13, 10, 7, 4, 1, 14, 11, 8, 5, 2, 15, 12, 9, 6, 3));
}

/** The inverse cipher (FIPS 197 §5.3): decrypts the planes in place with the `rounds` + 1 round keys at `keys`. */
export function decryptPlanes(planes: usize, keys: usize, rounds: u32): void {
  let key = keys + <usize>rounds * PLANES_BYTES;
  let x0 = xor(v128.load(planes, 0), v128.load(key, 0));
  let x1 = xor(v128.load(planes, 16), v128.load(key, 16));
  let x2 = xor(v128.load(planes, 32), v128.load(key, 32));
  let x3 = xor(v128.load(planes, 48), v128.load(key, 48));
  let x4 = xor(v128.load(planes, 64), v128.load(key, 64));
  let x5 = xor(v128.load(planes, 80), v128.load(key, 80));
  let x6 = xor(v128.load(planes, 96), v128.load(key, 96));
  let x7 = xor(v128.load(planes, 112), v128.load(key, 112));
  while (true) {
    key -= PLANES_BYTES;

    const t23 = xor(x7, x4);
    const t22 = xor(x6, x4);
    const t2 = xor(x7, x6);
    const t1 = xor(x4, x3);
    const t24 = xor(x3, x0);
    const r5 = xor(x1, x0);
    const t8 = xor(x6, t23);
    const t19 = xor(t22, r5);
    const t9 = xor(x0, t1);
    const t10 = xor(t2, t24);
    const t13 = xor(t2, r5);
    const t3 = xor(t1, r5);
    const r13 = xor(x6, x1);
    const t17 = xor(x5, t19);
    const t20 = xor(t24, r13);
    const t4 = xor(x3, t8);
    const r17 = xor(x5, x2);
    const r18 = xor(x2, x1);
    const y5 = xor(x7, r17);
    const t6 = xor(t22, r17);
    const t16 = xor(r13, xor(x5, x3));
    const t27 = xor(t1, r18);
    const t15 = xor(t10, t27);
    const m1 = and(t13, t6);
    const m6 = and(t3, t16);
    const m11 = and(t1, t15);
    const m13 = xor(and(t4, t27), m11);
    const m15 = xor(and(t2, t10), m11);
    const m16 = xor(xor(xor(t10, r18), m1), and(t23, t8));
    const m17 = xor(xor(and(t19, y5), m1), t24);
    const m18 = xor(xor(xor(t3, t16), m6), and(t22, t9));
    const m19 = xor(xor(and(t20, t17), m6), m15);
    const m20 = xor(m16, m13);
    const m21 = xor(m17, m15);
    const m22 = xor(m18, m13);
    const m23 = xor(m19, xor(x5, t1));
    const m24 = xor(m22, m23);
    const m25 = and(m22, m20);
    const m27 = xor(m20, m21);
    const m37 = xor(m21, and(xor(m23, m25), m27));
    const m38 = xor(and(m27, and(m20, m23)), xor(m27, m25));
    const m39 = xor(m23, and(xor(m21, m25), m24));
    const m40 = xor(and(m24, and(m21, m22)), xor(m24, m25));
    const m41 = xor(m38, m40);
    const m42 = xor(m37, m39);
    const m43 = xor(m37, m38);
    const m44 = xor(m39, m40);
    const m45 = xor(m42, m41);
    const m46 = and(m44, t6);
    const m48 = and(m39, y5);
    const m49 = and(m43, t16);
    const m50 = and(m38, t9);
    const m51 = and(m37, t17);
    const m54 = and(m41, t10);
    const m57 = and(m39, t19);
    const m58 = and(m43, t3);
    const m59 = and(m38, t22);
    const m61 = and(m42, t1);
    const m62 = and(m45, t4);
    const m63 = and(m41, t2);
    const o0 = xor(and(m42, t15), m61);
    const o2 = xor(m54, m62);
    const o3 = xor(and(m40, t8), m50);
    const o4 = xor(m48, and(m40, t23));
    const o5 = xor(m46, m51);
    const o6 = xor(m49, and(m37, t20));
    const o7 = xor(o0, xor(m58, m59));
    const o9 = xor(and(m44, t13), m63);
    const o10 = xor(m57, o4);
    const o11 = xor(o0, o3);
    const o22 = xor(o2, o7);
    const o23 = xor(o7, xor(m50, and(m45, t27)));
    const s7 = xor(xor(m49, m51), o22);
    const s6 = xor(xor(o9, o11), xor(xor(m54, m59), xor(o4, o6)));
    const s5 = xor(xor(m58, o2), xor(o11, xor(o6, o10)));
    const s4 = xor(xor(m46, m48), o22);
    const s3 = xor(o23, xor(o10, xor(m63, o5)));
    const s2 = xor(xor(o2, o3), xor(o5, o7));
    const s1 = xor(xor(m49, m62), o23);
    const s0 = xor(o9, xor(m57, m61));

    const k0 = xor(inverseShiftRows(s0), v128.load(key, 0));
    const k1 = xor(inverseShiftRows(s1), v128.load(key, 16));
    const k2 = xor(inverseShiftRows(s2), v128.load(key, 32));
    const k3 = xor(inverseShiftRows(s3), v128.load(key, 48));
    const k4 = xor(inverseShiftRows(s4), v128.load(key, 64));
    const k5 = xor(inverseShiftRows(s5), v128.load(key, 80));
    const k6 = xor(inverseShiftRows(s6), v128.load(key, 96));
    const k7 = xor(inverseShiftRows(s7), v128.load(key, 112));
    if (key == keys) {
      v128.store(planes, k0, 0);
      v128.store(planes, k1, 16);
      v128.store(planes, k2, 32);
      v128.store(planes, k3, 48);
      v128.store(planes, k4, 64);
      v128.store(planes, k5, 80);
      v128.store(planes, k6, 96);
      v128.store(planes, k7, 112);
      return;
    }
    // InvMixColumns is MixColumns of a + 4·(a + a two rows on).
    const w0 = xor(k0, rowAfterNext(k0));
    const w1 = xor(k1, rowAfterNext(k1));
    const w2 = xor(k2, rowAfterNext(k2));
    const w3 = xor(k3, rowAfterNext(k3));
    const w4 = xor(k4, rowAfterNext(k4));
    const w5 = xor(k5, rowAfterNext(k5));
    const w6 = xor(k6, rowAfterNext(k6));
    const w7 = xor(k7, rowAfterNext(k7));
    const w67 = xor(w6, w7);
    const u0 = xor(k0, w6);
    const u1 = xor(k1, w67);
    const u2 = xor(k2, xor(w0, w7));
    const u3 = xor(k3, xor(w1, w6));
    const u4 = xor(k4, xor(w2, w67));
    const u5 = xor(k5, xor(w3, w7));
    const u6 = xor(k6, w4);
    const u7 = xor(k7, w5);
    const n7 = nextRow(u7);
    const d7 = xor(u7, n7);
    const n0 = nextRow(u0);
    const d0 = xor(u0, n0);
    x0 = mix(n0, d7, d0);
    const n1 = nextRow(u1);
    const d1 = xor(u1, n1);
    x1 = mix(n1, xor(d0, d7), d1);
    const n2 = nextRow(u2);
    const d2 = xor(u2, n2);
    x2 = mix(n2, d1, d2);
    const n3 = nextRow(u3);
    const d3 = xor(u3, n3);
    x3 = mix(n3, xor(d2, d7), d3);
    const n4 = nextRow(u4);
    const d4 = xor(u4, n4);
    x4 = mix(n4, xor(d3, d7), d4);
    const n5 = nextRow(u5);
    const d5 = xor(u5, n5);
    x5 = mix(n5, d4, d5);
    const n6 = nextRow(u6);
    const d6 = xor(u6, n6);
    x6 = mix(n6, d5, d6);
    x7 = mix(n7, d6, d7);
  }
}
