import type { Pool } from 'pg';
import { createLead } from '../../src/adapters/postgres/leadership.ts';
import { systemClock } from '../../src/adapters/system.ts';
import type { DecodedEvent } from '../../src/commands/decoded-event.ts';
import { type EventLog, NO_STREAM, type Position, type StoredEvent } from '../../src/commands/ports.ts';
import type { JobEvent } from '../../src/domain/job/events.ts';
import { jobStream, parseJobStream } from '../../src/domain/job/stream.ts';
import type { ProjectionEnvironment } from '../../src/projections/environment.ts';
import type { Projection } from '../../src/projections/projection.ts';

/** A small projection for tests of the runner: how many events each job has, and the sum of a number in them. */
export function tallyProjection(changes: Partial<Projection> = {}): Projection {
  const { unlogged = false } = changes;
  return {
    name: 'tally',
    version: 1,
    prefixes: ['job-'],
    needsContent: false,
    unlogged,
    tables: [
      {
        name: 'tallies',
        create: (name) => `create ${unlogged ? 'unlogged' : ''} table ${name} (
          tenant_id text not null, job_id text not null, revision int not null, events int not null,
          amount int not null, primary key (tenant_id, job_id))`,
        indexes: (name) => [`create index ${name}_amount on ${name} (amount)`],
      },
    ],
    async apply(events, { client, table }) {
      for (const [key, { revision, count, amount, tenantId, jobId }] of folded(events)) {
        if (!key) continue;
        await client.query(
          `insert into ${table('tallies')} as t values ($1, $2, $3, $4, $5)
           on conflict (tenant_id, job_id) do update
           set revision = excluded.revision, events = t.events + excluded.events, amount = t.amount + excluded.amount
           where excluded.revision > t.revision`,
          [tenantId, jobId, revision, count, amount],
        );
      }
    },
    ...changes,
  };
}

function folded(events: readonly DecodedEvent[]) {
  const rows = new Map<
    string,
    { tenantId: string; jobId: string; revision: number; count: number; amount: number }
  >();
  for (const event of events) {
    if (event.aggregate !== 'job') continue;
    const row = rows.get(event.stream);
    const { tenantId, jobId, revision } = event;
    const amount = (row?.amount ?? 0) + amountOf(event);
    rows.set(event.stream, { tenantId, jobId, revision, count: (row?.count ?? 0) + 1, amount });
  }
  return rows;
}

export const amountOf = ({ event }: DecodedEvent): number =>
  (event.data as unknown as { amount: number }).amount;

export function decodeTally(stored: StoredEvent): DecodedEvent | undefined {
  const job = parseJobStream(stored.stream);
  if (!job || stored.type === 'Unknown') return undefined;
  const event = { type: stored.type, data: JSON.parse(stored.data) } as JobEvent;
  return { ...stored, ...job, aggregate: 'job', event };
}

export function environmentOf(pool: Pool, log: EventLog, holder = 'one'): ProjectionEnvironment {
  const lead = createLead({ pool, holder, tryEveryMs: 20, stopMs: 2_000 });
  return { pool, log, decode: decodeTally, lead, clock: systemClock };
}

/** Appends events with these amounts to a job's stream; answers the last position. */
export async function appendAmounts(
  log: EventLog,
  job: string,
  amounts: readonly number[],
  { tenant = 'acme', type = 'JobStarted' } = {},
): Promise<Position> {
  const stream = jobStream(tenant, job);
  const known = await log.readStream(stream, { direction: 'backwards', limit: 1 });
  const expectedRevision = known[0]?.revision ?? NO_STREAM;
  const events = amounts.map((amount, index) => ({
    type,
    schemaVersion: 1,
    data: JSON.stringify({ amount }),
    metadata: {
      tenantId: tenant,
      actor: { id: 'test', auth: 'in_process' as const },
      correlationId: 'c',
      causationId: `${job}-${expectedRevision}-${index}`,
      occurredAt: Date.now(),
    },
  }));
  const [outcome] = await log.append([{ stream, expectedRevision, events }]);
  if (outcome?.kind !== 'appended') throw new Error(`not appended: ${JSON.stringify(outcome)}`);
  return outcome.position;
}

export interface TallyRow {
  readonly tenant_id: string;
  readonly job_id: string;
  readonly revision: number;
  readonly events: number;
  readonly amount: number;
}

export async function readTallies(pool: Pool, table = 'tallies'): Promise<readonly TallyRow[]> {
  const { rows } = await pool.query<TallyRow>(`select * from ${table} order by tenant_id, job_id`);
  return rows;
}
