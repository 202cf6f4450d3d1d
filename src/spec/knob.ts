/**
 * A knob is a rule that somebody argued about, with named values (DESIGN.md §6). Each layer declares its own in `knobs.ts`
 * and reads it at the one place where the rule lives.
 */
export type KnobValue = string | number | boolean;

export interface Knob<T extends KnobValue = KnobValue> {
  readonly default: T;
  /** The allowed values, or an inclusive integer range. */
  readonly values: readonly T[] | { readonly min: number; readonly max: number };
  /** One sentence: the rule. */
  readonly about: string;
  /** Requirement ids of `reference/requirements.md`. */
  readonly requirements?: readonly string[];
  /** True when the default is an architecture detail without a confirmed public source. */
  readonly assumed?: boolean;
}

export type KnobTable = Readonly<Record<string, Knob>>;

/** The values of a table's knobs, typed by the table. */
export type KnobValues<T extends KnobTable> = { readonly [K in keyof T]: T[K] extends Knob<infer V> ? V : never };

/** Declares an on/off knob. */
export const onOff = (value: 'on' | 'off', about: string, requirements: readonly string[] = []): Knob<'on' | 'off'> => ({
  default: value,
  values: ['on', 'off'],
  about,
  requirements,
});

/** Declares a knob with named values; the first is the default. */
export const oneOf = <const V extends string>(
  values: readonly [V, ...V[]],
  about: string,
  requirements: readonly string[] = [],
): Knob<V> => ({
  default: values[0],
  values,
  about,
  requirements,
});

/** Declares a knob with an integer value in a range. */
export const integer = (
  value: number,
  min: number,
  max: number,
  about: string,
  requirements: readonly string[] = [],
): Knob<number> => ({
  default: value,
  values: { min, max },
  about,
  requirements,
});

/** Marks a knob's default as assumed. */
export const assumed = <K extends Knob>(knob: K): K => ({ ...knob, assumed: true });

/** Reads a table's values out of a full knob vector; a knob that the vector does not name has its default. */
export const readKnobs = <T extends KnobTable>(table: T, vector: Readonly<Record<string, KnobValue>>): KnobValues<T> =>
  Object.fromEntries(Object.entries(table).map(([name, knob]) => [name, vector[name] ?? knob.default])) as KnobValues<T>;
