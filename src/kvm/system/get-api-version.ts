import { EINVAL } from '../../spec/errno.ts';
import { KVM_API_VERSION } from '../../spec/kvm-uapi.ts';
import type { SystemIoctl } from './index.ts';

export const getApiVersion: SystemIoctl = function* (_current, _kvm, arg) {
  return arg === 0n ? KVM_API_VERSION : -EINVAL;
};
