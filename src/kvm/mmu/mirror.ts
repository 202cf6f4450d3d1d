import { type Thread, tdh_mem_page_add, tdh_mem_page_aug, tdh_mem_sept_add } from '../../linux/index.ts';
import type { Software } from '../../platform/index.ts';
import { ENOMEM } from '../../spec/errno.ts';
import { statusCode, TDX_OPERAND_BUSY } from '../../spec/status.ts';
import { allocPage, freePage } from '../pages.ts';
import { type Vm, vmBugged } from '../vm/vm.ts';
import {
  addressOf,
  allocTable,
  FROZEN,
  freeTable,
  isPresent,
  leafEntry,
  levelSize,
  NONPRESENT,
  PageTable,
  septLevel,
  tableEntry,
} from './ept.ts';
import type { FaultResult } from './fault.ts';
import { statusOf } from './zap.ts';

/**
 * The mirror: KVM's own copy of the S-EPT, read instead of TDH.MEM.SEPT.RD. Each of its tables but the root stands for an S-EPT page
 * that the module owns. An entry is frozen while the SEAMCALL behind its change runs, so faults on other entries go on beside it.
 */
export class MirrorTable {
  readonly table: PageTable;
  /** Mirror table → S-EPT page (kvm_mmu_page.external_spt). */
  readonly externalPages = new Map<number, number>();

  constructor(root: number, levels: number) {
    this.table = new PageTable(root, levels);
  }

  /** Maps one 4 KiB page: PAGE.ADD before FINALIZE_VM, PAGE.AUG after. The MMU lock is held for reading. */
  *map(current: Thread, vm: Vm, gpa: number, page: number): Software<FaultResult> {
    let table = this.table.root;
    for (let level = this.table.levels; level > 1; level--) {
      const at = this.table.entryAt(table, gpa, level);
      const entry = current.cpu.lp.load64(at);
      if (entry === FROZEN) return 'retry';
      const child = isPresent(entry) ? addressOf(entry) : yield* this.#link(current, vm, gpa, at, level);
      if (typeof child === 'string') return child;
      if (child < 0) return child;
      table = child;
    }
    const at = this.table.entryAt(table, gpa, 1);
    const old = current.cpu.lp.compareExchange64(at, NONPRESENT, FROZEN);
    if (old !== NONPRESENT) return isPresent(old) ? 'spurious' : 'retry';
    return yield* this.#settle(current, vm, at, leafEntry(page), yield* addPage(current, vm, gpa, page));
  }

  /** Puts a new table into an empty entry, with its S-EPT page. Returns the table, or how the fault ends. */
  *#link(current: Thread, vm: Vm, gpa: number, at: number, level: number): Software<number | FaultResult> {
    const table = allocTable(current, 'kvm:mirror');
    const external = table < 0 ? -ENOMEM : allocPage(current, 'kvm:sept');
    if (external < 0) {
      if (table > 0) freeTable(current, table);
      return -ENOMEM;
    }
    const discard = (): void => {
      freeTable(current, table);
      freePage(current, external);
    };
    if (current.cpu.lp.compareExchange64(at, NONPRESENT, FROZEN) !== NONPRESENT) {
      discard();
      return 'retry';
    }
    const base = Math.floor(gpa / levelSize(level)) * levelSize(level);
    const status = yield* statusOf(tdh_mem_sept_add(current.cpu, vm.td!.pages, BigInt(base), septLevel(level), external));
    const result = yield* this.#settle(current, vm, at, tableEntry(table), status);
    if (result !== 'fixed') {
      discard();
      return result;
    }
    this.externalPages.set(table, external);
    return table;
  }

  /** Unfreezes the entry as the SEAMCALL's status demands. */
  *#settle(current: Thread, vm: Vm, at: number, entry: bigint, status: bigint): Software<FaultResult> {
    current.cpu.lp.store64(at, status === 0n ? entry : NONPRESENT);
    if (status === 0n) return 'fixed';
    if (statusCode(status) === TDX_OPERAND_BUSY) return 'retry';
    return vmBugged(current, vm, `mapping a private page failed with 0x${status.toString(16)}`);
  }
}

function addPage(current: Thread, vm: Vm, gpa: number, page: number): Software<bigint> {
  const td = vm.td!;
  if (td.state === 'runnable') return statusOf(tdh_mem_page_aug(current.cpu, td.pages, BigInt(gpa), septLevel(1), page));
  return statusOf(tdh_mem_page_add(current.cpu, td.pages, BigInt(gpa), page, td.pageAddSource));
}
