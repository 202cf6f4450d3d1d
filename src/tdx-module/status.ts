import {
  OPERAND,
  type OperandName,
  TDX_OPERAND_ADDR_RANGE_ERROR,
  TDX_OPERAND_BUSY,
  TDX_OPERAND_INVALID,
  TDX_PAGE_METADATA_INCORRECT,
} from '../spec/status.ts';

export type ByOperand = Readonly<Record<OperandName, bigint>>;

const byOperand = (status: bigint): ByOperand =>
  Object.fromEntries(Object.entries(OPERAND).map(([name, id]) => [name, status | id])) as Record<OperandName, bigint>;

/** TDX_OPERAND_INVALID with the operand's id: `INVALID.RCX`. */
export const INVALID = byOperand(TDX_OPERAND_INVALID);
/** TDX_OPERAND_BUSY with the operand's id. */
export const BUSY = byOperand(TDX_OPERAND_BUSY);
/** TDX_OPERAND_ADDR_RANGE_ERROR with the operand's id. */
export const ADDR_RANGE = byOperand(TDX_OPERAND_ADDR_RANGE_ERROR);
/** TDX_PAGE_METADATA_INCORRECT with the operand's id. */
export const METADATA_INCORRECT = byOperand(TDX_PAGE_METADATA_INCORRECT);

/** A leaf ends with this completion status; the dispatcher turns it into RAX and releases the locks. Not an Error: the call did return. */
export class LeafStatus {
  readonly status: bigint;
  constructor(status: bigint) {
    this.status = status;
  }
}

/** Ends the leaf with `status`. */
export const fail = (status: bigint): never => {
  throw new LeafStatus(status);
};

/** One check of a leaf: ends the leaf with `status` unless `condition` holds. */
export function ensure(condition: boolean, status: bigint): asserts condition {
  if (!condition) throw new LeafStatus(status);
}
