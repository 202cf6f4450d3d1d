import { extensionValue } from '../system/check-extension.ts';
import type { VmIoctl } from './index.ts';

export const checkExtension: VmIoctl = function* (current, vm, arg) {
  return extensionValue(current, vm.kvm, vm, arg);
};
