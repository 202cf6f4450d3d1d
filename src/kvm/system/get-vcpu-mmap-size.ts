import { EINVAL } from '../../spec/errno.ts';
import { PAGE_SIZE } from '../mmu/ept.ts';
import { RUN_PAGES } from '../run.ts';
import type { SystemIoctl } from './index.ts';

export const getVcpuMmapSize: SystemIoctl = function* (_current, _kvm, arg) {
  return arg === 0n ? RUN_PAGES * PAGE_SIZE : -EINVAL;
};
