/** A small cache of expanded keys. */

import { allocate } from './arena';
import { aesBits } from './config';
import { expandKey, XTS_SCHEDULE_BYTES } from './crypto/aes-xts';
import { keyBytes } from './keys';

const SLOTS: u32 = 32;
const owners: usize = memory.data(128, 16);
let schedules: usize = 0;

export function initSchedules(): void {
  schedules = allocate(<usize>SLOTS * XTS_SCHEDULE_BYTES);
}

export function scheduleOf(instance: u32): usize {
  const slot = <usize>(instance & (SLOTS - 1));
  const schedule = schedules + slot * XTS_SCHEDULE_BYTES;
  if (load<u32>(owners + (slot << 2)) != instance) {
    expandKey(keyBytes(instance), aesBits, schedule);
    store<u32>(owners + (slot << 2), instance);
  }
  return schedule;
}

/** The instance number is about to be used again. */
export function forgetSchedule(instance: u32): void {
  const owner = owners + ((<usize>(instance & (SLOTS - 1))) << 2);
  if (load<u32>(owner) == instance) store<u32>(owner, 0);
}
