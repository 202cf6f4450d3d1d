import { MD_SYS, MD_SYS_ROWS, MD_TD, MD_TD_ROWS, MD_VP, MD_VP_ROWS } from './metadata-tables.ts';

export { MD_SYS, MD_TD, MD_VP } from './metadata-tables.ts';

/** Whose metadata: module-wide, of a TD (TDR and TDCS), of a VCPU (TDVPS). */
export type MetadataContext = 'SYS' | 'TD' | 'VP';

/** Which bits a caller may read and write. In the SYS context production and debug are the same. */
export interface MetadataMasks {
  readonly prodRead: bigint;
  readonly prodWrite: bigint;
  readonly dbgRead: bigint;
  readonly dbgWrite: bigint;
  readonly guestRead: bigint;
  readonly guestWrite: bigint;
}

export interface MetadataField {
  readonly name: string;
  /** Field id of the first element. */
  readonly id: bigint;
  readonly class: number;
  /** Field code of the first element; element i has code + i. */
  readonly code: number;
  /** Bytes: 1, 2, 4 or 8. */
  readonly elementSize: number;
  readonly fields: number;
  /** Elements a field. */
  readonly elements: number;
  /** Where the value lies in TDR, TDCS or TDVPS; undefined for SYS. */
  readonly offset: number | undefined;
  /** The module computes the value, or checks it, in code of its own. */
  readonly specialRead: boolean;
  readonly specialWrite: boolean;
  readonly masks: MetadataMasks;
}

/** Bits of a field id (layouts §18). */
export const fieldClass = (id: bigint): number => Number((id >> 56n) & 0x3fn);
export const fieldCode = (id: bigint): number => Number(id & 0xff_ffffn);
export const fieldContext = (id: bigint): number => Number((id >> 52n) & 0x7n);
export const fieldElementSize = (id: bigint): number => 1 << Number((id >> 32n) & 0x3n);
export const fieldLastElement = (id: bigint): number => Number((id >> 34n) & 0xfn);
export const fieldLastField = (id: bigint): number => Number((id >> 38n) & 0x1ffn);

function parse(ids: Readonly<Record<string, bigint>>, rows: string): readonly MetadataField[] {
  const lines = rows.trim().split('\n');
  return Object.entries(ids).map(([name, id], i) => {
    const [fields, elements, offset, special, ...words] = lines[i]!.split(' ') as [string, string, string, string, ...string[]];
    const elementSize = fieldElementSize(id);
    const all = (1n << BigInt(8 * elementSize)) - 1n;
    const masks = words.map((word) => (word === 'F' ? all : BigInt(`0x${word}`)));
    const [prodRead, prodWrite, dbgRead, dbgWrite, guestRead, guestWrite] = (
      masks.length === 4 ? [masks[0], masks[1], masks[0], masks[1], masks[2], masks[3]] : masks
    ) as [bigint, bigint, bigint, bigint, bigint, bigint];
    return {
      name,
      id,
      class: fieldClass(id),
      code: fieldCode(id),
      elementSize,
      fields: Number(fields),
      elements: Number(elements),
      offset: offset === '-' ? undefined : Number.parseInt(offset, 16),
      specialRead: special.includes('r'),
      specialWrite: special.includes('w'),
      masks: { prodRead, prodWrite, dbgRead, dbgWrite, guestRead, guestWrite },
    };
  });
}

const sources = {
  SYS: { ids: MD_SYS, rows: MD_SYS_ROWS },
  TD: { ids: MD_TD, rows: MD_TD_ROWS },
  VP: { ids: MD_VP, rows: MD_VP_ROWS },
} as const;
const parsed = new Map<MetadataContext, readonly MetadataField[]>();

/** All fields of a context, ascending by class and code: the order in which TDH.SYS.RD and its kin enumerate them. */
export function metadataFields(context: MetadataContext): readonly MetadataField[] {
  let fields = parsed.get(context);
  if (!fields) {
    const { ids, rows } = sources[context];
    fields = parse(ids, rows);
    parsed.set(context, fields);
  }
  return fields;
}

/** The field that an id selects by class and code alone, and the index of the element inside it. */
export function findMetadata(
  context: MetadataContext,
  id: bigint,
): { readonly field: MetadataField; readonly index: number } | undefined {
  const wanted = fieldClass(id);
  const code = fieldCode(id);
  const field = metadataFields(context).find(
    (f) => f.class === wanted && code >= f.code && code < f.code + f.fields * f.elements,
  );
  return field && { field, index: code - field.code };
}
