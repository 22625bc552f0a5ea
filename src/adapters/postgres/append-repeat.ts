import type pg from 'pg';
import type { AppendRequest, Position } from '../../commands/ports.ts';

/** Where the last event of an append stands that was written by an earlier try of the same append. */
export interface EarlierAppend {
  readonly revision: number;
  readonly position: Position;
}

/**
 * Which of these refused appends are repeats: the events that stand where theirs would go have the same types and
 * causation ids. Keyed by the request object.
 */
export async function findEarlierAppends(
  pool: pg.Pool,
  requests: readonly AppendRequest[],
): Promise<ReadonlyMap<AppendRequest | undefined, EarlierAppend>> {
  const { rows } = await pool.query<StoredOrigin>(ORIGINS, [
    requests.map(({ stream }) => stream),
    requests.map(({ expectedRevision }) => expectedRevision + 1),
    requests.map(({ expectedRevision, events }) => expectedRevision + events.length),
  ]);
  const stored = new Map(rows.map((row) => [`${row.revision} ${row.stream}`, row]));
  const earlier = new Map<AppendRequest | undefined, EarlierAppend>();
  for (const request of requests) {
    const found = request.events.map((_, index) =>
      stored.get(`${request.expectedRevision + 1 + index} ${request.stream}`),
    );
    const last = found.at(-1);
    const same = request.events.every(
      ({ type, metadata }, index) =>
        found[index]?.type === type && found[index]?.causation_id === metadata.causationId,
    );
    if (same && last) earlier.set(request, { revision: last.revision, position: BigInt(last.position) });
  }
  return earlier;
}

interface StoredOrigin {
  readonly stream: string;
  readonly revision: number;
  readonly position: string;
  readonly type: string;
  readonly causation_id: string | null;
}

const ORIGINS = `
select e.stream, e.revision, e.position, e.type, e.metadata::json ->> 'causationId' as causation_id
from unnest($1::text[], $2::int[], $3::int[]) r (stream, first, last)
cross join lateral (
  select *
  from events
  where stream = r.stream
    and revision between r.first and r.last
  order by revision
) e`;
