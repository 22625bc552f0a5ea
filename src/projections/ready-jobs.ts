import type { DecodedEvent } from '../commands/decoded-event.ts';
import { type Placement, placementOf } from '../commands/placement.ts';
import type { Clock } from '../commands/ports.ts';
import { RecentStates } from '../commands/recent-states.ts';
import { unreachable } from '../domain/decider.ts';
import { jobDecider } from '../domain/job/decider.ts';
import { JOB_STREAM_PREFIX } from '../domain/job/stream.ts';
import { QUEUE_STREAM_PREFIX } from '../domain/queue/stream.ts';
import { partialPlacement } from './partial-placement.ts';
import { placeJobs } from './place-jobs.ts';
import type { Projection, ProjectionWrite } from './projection.ts';
import { repairReadyJobs, seedReadyJobs } from './ready-jobs-repair.ts';

export const READY_JOBS = 'ready-jobs';

type JobDecoded = Extract<DecodedEvent, { aggregate: 'job' }>;
type QueueDecoded = Extract<DecodedEvent, { aggregate: 'queue' }>;

/**
 * Keeps the dispatch tables: what may run now, what waits for its time, what runs. Claims, heartbeats and timers change
 * them as well, so its tables come from migration 0003 and are repaired in place rather than built anew.
 */
export function readyJobs({ clock }: { readonly clock: Clock }): Projection {
  const states = new RecentStates();
  return {
    name: READY_JOBS,
    version: 1,
    prefixes: [JOB_STREAM_PREFIX, QUEUE_STREAM_PREFIX],
    needsContent: true,
    unlogged: true,
    urgent: true,
    tables: [],
    async apply(events, { client }) {
      const now = clock.now();
      // Before any job is placed: see set_queue.
      for (const event of events) if (event.aggregate === 'queue') await setQueue(client, event, now);
      await placeJobs(client, placements(events, states, now), now);
    },
    seed: ({ client }) => seedReadyJobs(client, clock.now()),
    repair: ({ client }) => repairReadyJobs(client, clock.now()),
  };
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

async function setQueue(
  client: ProjectionWrite['client'],
  { tenantId, queue, revision, event }: QueueDecoded,
  now: number,
): Promise<void> {
  switch (event.type) {
    case 'QueuePaused':
      await client.query(SET_QUEUE, [now, tenantId, queue, revision, 'pause', true, event.data.until, null]);
      return;
    case 'QueueResumed':
      await client.query(SET_QUEUE, [now, tenantId, queue, revision, 'pause', false, null, null]);
      return;
    case 'QueueLimitChanged': {
      const { concurrencyLimit } = event.data;
      await client.query(SET_QUEUE, [now, tenantId, queue, revision, 'limit', false, null, concurrencyLimit]);
      return;
    }
    default:
      unreachable(event);
  }
}

const SET_QUEUE = `
select set_queue($1, $2, $3, $4, $5, $6, $7, $8)`;
