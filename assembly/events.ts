/** The event id stamped on what follows. */
import { provenance } from './config';

export let event: u32 = 0;

export function setEvent(id: u32): void {
  event = id;
}

/** Writer id of a write made now. */
export function currentWriter(): u32 {
  return provenance ? event : 0;
}
