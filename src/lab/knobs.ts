import { guestKnobs } from '../guest/index.ts';
import { kvmKnobs } from '../kvm/knobs.ts';
import { kernelKnobs } from '../linux/knobs.ts';
import { platformKnobs } from '../platform/index.ts';
import type { Knob, KnobTable, KnobValue } from '../spec/knob.ts';
import { moduleKnobs } from '../tdx-module/knobs.ts';

/** A full or partial assignment of knobs by name. */
export type KnobVector = Readonly<Record<string, KnobValue>>;

/** Every knob of every layer, by name. */
export const allKnobs: KnobTable = { ...platformKnobs, ...moduleKnobs, ...kernelKnobs, ...kvmKnobs, ...guestKnobs };

/** Why a knob setting was refused; `nearest` are the names or values that exist. */
export class KnobError extends Error {
  readonly code: 'UNKNOWN_KNOB' | 'BAD_VALUE';
  readonly given: string;
  readonly valid: readonly string[];
  constructor(code: KnobError['code'], message: string, given: string, valid: readonly string[]) {
    super(message);
    this.name = 'KnobError';
    this.code = code;
    this.given = given;
    this.valid = valid;
  }
}

/** The value that a text stands for, or a {@link KnobError}. */
export function parseKnob(name: string, text: string): KnobValue {
  const knob = Object.hasOwn(allKnobs, name) ? allKnobs[name] : undefined;
  if (!knob) throw new KnobError('UNKNOWN_KNOB', `unknown knob '${name}'`, name, Object.keys(allKnobs));
  const value = matchValue(knob, text);
  if (value === undefined)
    throw new KnobError('BAD_VALUE', `knob ${name} does not take '${text}'; valid: ${validText(knob)}`, text, validNames(knob));
  return value;
}

/** Checks a vector given by a program: the values as their knobs have them. */
export function checkVector(vector: KnobVector): KnobVector {
  return Object.fromEntries(Object.entries(vector).map(([name, value]) => [name, parseKnob(name, String(value))]));
}

/** The vector with every knob named. */
export const fullVector = (vector: KnobVector): KnobVector =>
  Object.fromEntries(Object.entries(allKnobs).map(([name, knob]) => [name, vector[name] ?? knob.default]));

/** The knobs in which `vector` differs from `reference`, with the reference's values. */
export function deviations(
  vector: KnobVector,
  reference: KnobVector = {},
): Record<string, { readonly value: KnobValue; readonly reference: KnobValue }> {
  const full = fullVector(vector);
  return Object.fromEntries(
    Object.entries(fullVector(reference))
      .filter(([name, value]) => full[name] !== value)
      .map(([name, value]) => [name, { value: full[name]!, reference: value }]),
  );
}

const matchValue = (knob: Knob, text: string): KnobValue | undefined => {
  if (isList(knob.values)) return knob.values.find((value) => String(value) === text);
  const number = /^-?\d+$/.test(text) ? Number(text) : Number.NaN;
  return number >= knob.values.min && number <= knob.values.max ? number : undefined;
};

const isList = (values: Knob['values']): values is readonly KnobValue[] => Array.isArray(values);
const validNames = (knob: Knob): string[] => (isList(knob.values) ? knob.values.map(String) : []);
export const validText = (knob: Knob): string =>
  isList(knob.values) ? knob.values.join(', ') : `${knob.values.min} to ${knob.values.max}`;
