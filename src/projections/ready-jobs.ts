import type { DecodedEvent } from '../commands/decoded-event.ts';
import type { LineProgress } from '../commands/line-progress.ts';
import { type Lane, type Placement, placementOf } from '../commands/placement.ts';
import type { Clock } from '../commands/ports.ts';
import { RecentStates } from '../commands/recent-states.ts';
import { jobDecider } from '../domain/job/decider.ts';
import { JOB_STREAM_PREFIX } from '../domain/job/stream.ts';
import { QUEUE_STREAM_PREFIX } from '../domain/queue/stream.ts';
import { QUOTA_STREAM_PREFIX } from '../domain/tenant-quota/stream.ts';
import { changesSettings, setQueue, setTenants } from './dispatch-settings.ts';
import { partialPlacement } from './partial-placement.ts';
import { placeJobs, placeJobsStatement } from './place-jobs.ts';
import type { Projection } from './projection.ts';
import { repairReadyJobs, seedReadyJobs } from './ready-jobs-repair.ts';

export const READY_JOBS = 'ready-jobs';

/** Claims give jobs back, and small tenants overtake large ones, between its transactions. */
const MOST_EVENTS = 1_000;
/** While small tenants do overtake. */
const MOST_WHEN_OVERTAKEN = 200;

type JobDecoded = Extract<DecodedEvent, { aggregate: 'job' }>;

export interface ReadyJobsDeps {
  readonly clock: Clock;
  /** Told of the lanes that get jobs when the batch at hand is committed; again when it is tried again. */
  readonly announce?: (lanes: readonly Lane[]) => void;
  readonly progress?: Pick<LineProgress, 'isOvertaken'>;
  /** Told how many jobs each tenant enqueued. */
  readonly linedUp?: (tenantId: string, jobs: number) => void;
}

/**
 * Keeps the dispatch tables: what may run now, what waits for its time, what runs. Claims, heartbeats and timers change
 * them as well, so its tables come from migrations and are repaired in place rather than built anew.
 */
export function readyJobs({
  clock,
  announce = () => undefined,
  progress,
  linedUp = () => undefined,
}: ReadyJobsDeps): Projection {
  const states = new RecentStates();
  const placing = (events: readonly DecodedEvent[], now: number): readonly Placement[] => {
    const placed = placements(events, states, now);
    for (const [tenantId, jobs] of enqueuedOf(events)) linedUp(tenantId, jobs);
    announce(placed.filter((placement) => placement.kind === 'ready'));
    return placed;
  };
  return {
    name: READY_JOBS,
    version: 1,
    prefixes: [JOB_STREAM_PREFIX, QUEUE_STREAM_PREFIX, QUOTA_STREAM_PREFIX],
    needsContent: true,
    unlogged: true,
    urgent: true,
    get mostEvents() {
      return progress?.isOvertaken ? MOST_WHEN_OVERTAKEN : MOST_EVENTS;
    },
    tables: [],
    statement(events) {
      // Settings come before any job is placed, in statements of their own.
      if (events.some(changesSettings)) return undefined;
      const now = clock.now();
      return placeJobsStatement(placing(events, now), now);
    },
    async apply(events, { client }) {
      const now = clock.now();
      // Before any job is placed: see set_queue and set_tenant.
      await setTenants(client, events, now);
      for (const event of events) if (event.aggregate === 'queue') await setQueue(client, event, now);
      await placeJobs(client, placing(events, now), now);
    },
    seed: ({ client }) => seedReadyJobs(client, clock.now()),
    repair: ({ client }) => repairReadyJobs(client, clock.now()),
  };
}

/** How many jobs each tenant enqueued. */
function enqueuedOf(events: readonly DecodedEvent[]): ReadonlyMap<string, number> {
  const jobs = new Map<string, number>();
  for (const { event, metadata } of events) {
    if (event.type === 'JobEnqueued') jobs.set(metadata.tenantId, (jobs.get(metadata.tenantId) ?? 0) + 1);
  }
  return jobs;
}

/** One placement for each job among the events. */
function placements(
  events: readonly DecodedEvent[],
  states: RecentStates,
  now: number,
): readonly Placement[] {
  const unknown = new Map<string, JobDecoded[]>();
  const known = new Map<string, JobDecoded>();
  for (const decoded of events) {
    if (decoded.aggregate !== 'job') continue;
    if (fold(decoded, states)) {
      known.set(decoded.stream, decoded);
      unknown.delete(decoded.stream);
    } else {
      const before = unknown.get(decoded.stream);
      if (before) before.push(decoded);
      else unknown.set(decoded.stream, [decoded]);
      known.delete(decoded.stream);
    }
  }
  const placed: Placement[] = [];
  for (const [stream, last] of known) {
    const state = states.get(stream);
    if (!state) placed.push(partialPlacement([last], now));
    else placed.push({ ...placementOf(last, state.revision, state.state, now), isNew: state.revision === 0 });
    if (placed.at(-1)?.kind === 'gone') states.forget(stream);
  }
  for (const decoded of unknown.values()) placed.push(partialPlacement(decoded, now));
  return placed;
}

/** Takes the event into the state of its job when that is known; false when it is not. */
function fold(decoded: JobDecoded, states: RecentStates): boolean {
  const { stream, revision, event, metadata } = decoded;
  const before = states.get(stream);
  if (before && revision <= before.revision) return true;
  if (revision > 0 && before?.revision !== revision - 1) {
    states.forget(stream);
    return false;
  }
  const state = jobDecider.evolve(before?.state ?? jobDecider.initial(), event, metadata.occurredAt);
  states.put(stream, { state, revision });
  return true;
}
