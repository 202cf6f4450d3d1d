import type { EventFacts, MachineEvent } from '../../platform/index.ts';

/** A horizontal line of the trace: a thread of a process, in the trace format's words. */
export interface Track {
  readonly pid: number;
  readonly tid: number;
}

export interface ProcessName {
  readonly pid: number;
  readonly name: string;
}

export interface TrackName extends Track {
  readonly name: string;
}

/** An event with its place in the trace. */
export interface Placed {
  readonly event: MachineEvent;
  readonly track: Track;
  /** Virtual nanoseconds. Of an event that never ended: the end of the trace. */
  readonly end: number;
}

export const HOST_PID = 1;
/** Threads that the format may number as it likes: room for lanes of one processor beside each other. */
const LANES = 100;

/** Slices of one track must nest. What does not (two kernel threads that take turns on an LP) goes to a lane of its own. */
class Lanes {
  /** Ends of the slices that are open in each lane, outermost first. */
  readonly #open: number[][] = [];
  readonly #laneOf = new Map<number, number>();

  /** A lane where the slice nests: its parent's if possible. */
  place({ id, parent, start }: MachineEvent, end: number): number {
    const own = this.#laneOf.get(parent);
    let lane = own !== undefined && this.#fits(own, start, end) ? own : 0;
    while (!this.#fits(lane, start, end)) lane++;
    this.#open[lane]!.push(end);
    this.#laneOf.set(id, lane);
    return lane;
  }

  #fits(lane: number, start: number, end: number): boolean {
    const ends = this.#open[lane] ?? [];
    this.#open[lane] = ends;
    while (ends.length > 0 && ends.at(-1)! <= start) ends.pop();
    return ends.length === 0 || end <= ends.at(-1)!;
  }
}

interface Owner {
  readonly pid: number;
  readonly index: number;
  readonly name: string;
  readonly lanes: Lanes;
}

/**
 * Which track an event belongs to: process "host" with a thread for each LP, and a process for each TD with a thread for each vCPU.
 * A TD is told from another by its S-EPT root and KeyID, a vCPU by its VMCS.
 */
export class Tracks {
  readonly #owners = new Map<string, Owner>();
  readonly #tds = new Map<string, { readonly pid: number; vcpus: number }>();
  readonly #announced = new Set<string>();
  readonly processes: ProcessName[] = [{ pid: HOST_PID, name: 'host' }];
  readonly threads: TrackName[] = [];

  place(event: MachineEvent, end: number): Placed {
    const owner = isGuest(event) ? this.#vcpu(event.args) : this.#lp(event.lp);
    const lane = owner.lanes.place(event, end);
    const track: Track = { pid: owner.pid, tid: owner.index * LANES + lane };
    this.#announce(track, lane === 0 ? owner.name : `${owner.name} (${lane + 1})`);
    return { event, track, end };
  }

  #announce(track: Track, name: string): void {
    const key = `${track.pid}/${track.tid}`;
    if (this.#announced.has(key)) return;
    this.#announced.add(key);
    this.threads.push({ ...track, name });
  }

  #lp(lp: number): Owner {
    return this.#owner(`lp ${lp}`, HOST_PID, () => [lp + 1, lp < 0 ? 'platform' : `LP ${lp}`]);
  }

  #vcpu({ vcpu, sept, keyId }: EventFacts): Owner {
    const key = `${sept}/${keyId}`;
    let td = this.#tds.get(key);
    if (!td) {
      td = { pid: HOST_PID + 1 + this.#tds.size, vcpus: 0 };
      this.#tds.set(key, td);
      this.processes.push({ pid: td.pid, name: `TD ${this.#tds.size} (KeyID ${keyId})` });
    }
    const { pid } = td;
    return this.#owner(`vcpu ${key}/${vcpu}`, pid, () => [td.vcpus++, `vCPU ${td.vcpus - 1} (VMCS ${vcpu})`]);
  }

  #owner(key: string, pid: number, describe: () => readonly [number, string]): Owner {
    let owner = this.#owners.get(key);
    if (!owner) {
      const [index, name] = describe();
      owner = { pid, index, name, lanes: new Lanes() };
      this.#owners.set(key, owner);
    }
    return owner;
  }
}

const isGuest = ({ kind, args }: MachineEvent): boolean => (kind === 'td-run' || kind === 'tdcall') && args.vcpu !== undefined;

/** All events in the order in which slices of a track may be drawn: by begin; ids tell who began first at the same time, so outer before inner. */
export function placeAll(events: readonly MachineEvent[]): { readonly placed: Placed[]; readonly tracks: Tracks } {
  const last = events.reduce((most, { start, end }) => Math.max(most, start, end), 0);
  const endOf = ({ end }: MachineEvent): number => (end < 0 ? last : end);
  const sorted = [...events].sort((a, b) => a.start - b.start || a.id - b.id);
  const tracks = new Tracks();
  return { placed: sorted.map((event) => tracks.place(event, endOf(event))), tracks };
}
