/** The event id stamped on what follows. */
import { provenance } from './config';

export let event: u32 = 0;
/** Writer id of a write made now: 0 without provenance. */
export let writerNow: u32 = 0;
let given: u32 = 0;

export function setEvent(id: u32): void {
  recallEvent(id);
  given = id;
}

/** What follows happened at an earlier event, until {@link resumeEvent}. */
export function recallEvent(id: u32): void {
  event = id;
  writerNow = provenance ? id : 0;
}

export function resumeEvent(): void {
  recallEvent(given);
}
