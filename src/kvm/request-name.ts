import { IOCTL_NAMES } from '../spec/kvm-uapi.ts';

/** Name of a request, for the event log. */
export const requestName = (request: number): string => IOCTL_NAMES.get(request) ?? `ioctl 0x${request.toString(16)}`;
