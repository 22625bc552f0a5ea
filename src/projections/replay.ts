import type { PoolClient } from 'pg';
import type { DecodedEvent } from '../commands/decoded-event.ts';
import type { Position } from '../commands/ports.ts';
import { ACTION_STREAM_PREFIX } from '../domain/action/stream.ts';
import { API_KEY_STREAM_PREFIX } from '../domain/api-key/stream.ts';
import { QUOTA_STREAM_PREFIX } from '../domain/tenant-quota/stream.ts';
import { applyBatch } from './apply-batch.ts';
import { moveCheckpoint } from './checkpoint.ts';
import type { ProjectionEnvironment } from './environment.ts';
import { EventRate } from './event-rate.ts';
import { type Generation, writeTo } from './generations.ts';
import { type LogSlice, readSlices } from './log-slice.ts';
import type { Projection } from './projection.ts';

/** Larger pages live through more collections of garbage than they save round trips. */
const PAGE_SIZE = 3_000;

export interface Replay {
  readonly environment: ProjectionEnvironment;
  readonly projection: Projection;
  readonly generation: Generation;
  readonly fence: bigint;
  /** Only this tenant's events. */
  readonly tenant?: string | undefined;
  /** Nothing recorded after this time, milliseconds since 1970. */
  readonly toTime?: number | undefined;
  readonly signal: AbortSignal;
  /** Told after every page: events applied and position reached since the last call. */
  readonly onPage?: ((events: number, position: Position) => void) | undefined;
}

/**
 * Applies the log after `from` to a generation that nobody else writes, in big pages and without sleeping, up to `to`
 * or until the log is caught up. Answers where it stands. Rejects with UnknownEventError for event types this version
 * does not know, and when the signal aborts.
 */
export async function replay(replay: Replay, from: Position, to?: Position): Promise<Position> {
  const { environment, projection, generation, fence, signal } = replay;
  const rate = new EventRate();
  let position = from;
  for await (const part of parts(replay, from, to)) {
    const move = { from: position, to: part.position, fence, eventsPerSecond: rate.add(part.events.length) };
    if (part.position > position) {
      await applyBatch(environment, projection, generation, { ...move, events: part.events, signal });
      position = part.position;
    }
    replay.onPage?.(part.events.length, position);
  }
  signal.throwIfAborted();
  return position;
}

/** The same inside the caller's transaction. */
export async function replayWithin(
  client: PoolClient,
  replay: Replay,
  from: Position,
  to: Position,
): Promise<void> {
  const { projection, generation, fence, signal } = replay;
  if (to <= from) return;
  for await (const part of parts(replay, from, to)) {
    if (part.events.length > 0) await projection.apply(part.events, writeTo(client, generation));
  }
  signal.throwIfAborted();
  await moveCheckpoint(client, projection, generation, { from, to, fence, eventsPerSecond: 0 });
}

interface Part {
  readonly events: readonly DecodedEvent[];
  readonly position: Position;
}

async function* parts(replay: Replay, from: Position, to: Position | undefined): AsyncGenerator<Part> {
  const { environment, projection, tenant, signal, toTime } = replay;
  if (to !== undefined && to <= from) return;
  const slices = readSlices(environment.log, from, {
    filter: { prefixes: prefixesOf(projection, tenant), withoutContent: !projection.needsContent },
    decode: environment.decode,
    unknown: 'break',
    pageSize: PAGE_SIZE,
    signal,
  });
  for await (const slice of slices) {
    const part = cut(slice, to, toTime);
    refuseBroken(slice, part.position);
    yield tenant === undefined
      ? part
      : { ...part, events: part.events.filter(({ tenantId }) => tenantId === tenant) };
    if (part.last || (to !== undefined && part.position >= to)) return;
  }
}

/** What of a slice lies within the limits, and whether that was the last of it. */
function cut(
  slice: LogSlice,
  to: Position | undefined,
  toTime: number | undefined,
): Part & { last: boolean } {
  const tooLate = slice.events.findIndex(
    ({ position, recordedAt }) =>
      (to !== undefined && position > to) || (toTime !== undefined && recordedAt > toTime),
  );
  const events = tooLate < 0 ? slice.events : slice.events.slice(0, tooLate);
  const beyond = to !== undefined && slice.position > to;
  if (beyond) return { events, position: to, last: true };
  if (tooLate < 0) return { events, position: slice.position, last: false };
  return { events, position: events.at(-1)?.position ?? slice.after, last: true };
}

function refuseBroken({ broken }: LogSlice, upTo: Position): void {
  const first = broken.find(({ stored }) => stored.position <= upTo);
  if (first) throw first.error;
}

/**
 * Stream names go on with the tenant's id and a dot after their aggregate's prefix; those of quotas and actions end with
 * the id, so the prefix also finds tenants whose ids go on, and those of keys do not name it.
 */
const prefixesOf = ({ prefixes }: Projection, tenant: string | undefined): readonly string[] =>
  tenant === undefined
    ? prefixes
    : prefixes.map((prefix) => {
        if (prefix === API_KEY_STREAM_PREFIX) return prefix;
        const endsWithTenant = prefix === QUOTA_STREAM_PREFIX || prefix === ACTION_STREAM_PREFIX;
        return endsWithTenant ? `${prefix}${tenant}` : `${prefix}${tenant}.`;
      });
