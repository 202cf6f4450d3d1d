import { describe, expect, it } from 'vitest';
import { allKnobs, deviations, fullVector, KnobError, parseKnob } from '../../src/lab/knobs.ts';
import { findProfile, PROFILES, REFERENCE_PROFILE } from '../../src/lab/profiles.ts';

describe('knobs', () => {
  it('[SX-01] a full vector names every knob of every layer, and defaults are among the values', () => {
    const full = fullVector({});
    expect(Object.keys(full)).toEqual(Object.keys(allKnobs));
    for (const layer of ['hw.', 'bios.', 'cpu.', 'module.', 'kernel.', 'kexec.', 'kvm.', 'guest.']) {
      expect(Object.keys(full).some((name) => name.startsWith(layer))).toBe(true);
    }
    for (const [name, knob] of Object.entries(allKnobs)) expect(parseKnob(name, String(knob.default))).toBe(knob.default);
  });

  it('refuses an unknown name and an unknown value, and offers those that exist', () => {
    expect(() => parseKnob('hw.tdbit', 'on')).toThrowError(KnobError);
    expect(() => parseKnob('hw.tdBit', 'maybe')).toThrowError(/valid: on, off/);
    expect(() => parseKnob('hw.macBits', '0')).toThrowError(/1 to 28/);
    expect(() => parseKnob('hw.macBits', '4.5')).toThrowError(KnobError);
    expect(parseKnob('hw.macBits', '28')).toBe(28);
  });
});

describe('profiles', () => {
  it('[SX-02] are vectors of knobs that exist, with values that exist', () => {
    for (const { knobs } of PROFILES)
      for (const [name, value] of Object.entries(knobs)) expect(parseKnob(name, String(value))).toBe(value);
  });

  it('[SX-02] differ from each other in exactly the knobs that the deltas name', () => {
    const [v7, v618] = [findProfile('host-v7')!, findProfile('6.18')!];
    const changed = deviations(v618.knobs, v7.knobs);
    const full = [fullVector(v7.knobs), fullVector(v618.knobs)] as const;
    for (const name of Object.keys(allKnobs)) expect(name in changed).toBe(full[0][name] !== full[1][name]);
    expect(changed['kernel.entropyRetry']).toEqual({ value: 10, reference: 0 });
    expect(deviations(v7.knobs, v7.knobs)).toEqual({});
  });

  it('the reference profile is the defaults', () => {
    expect(deviations(findProfile(REFERENCE_PROFILE)!.knobs)).toEqual({});
  });
});
