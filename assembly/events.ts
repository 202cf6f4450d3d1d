/** The event id stamped on what follows. */
import { provenance } from './config';

export let event: u32 = 0;
let given: u32 = 0;

export function setEvent(id: u32): void {
  event = id;
  given = id;
}

/** What follows happened at an earlier event, until {@link resumeEvent}. */
export function recallEvent(id: u32): void {
  event = id;
}

export function resumeEvent(): void {
  event = given;
}

/** Writer id of a write made now. */
export function currentWriter(): u32 {
  return provenance ? event : 0;
}
