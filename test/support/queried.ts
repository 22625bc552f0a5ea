import { createQueries } from '../../src/adapters/postgres/queries/queries.ts';
import type { DecodedEvent } from '../../src/commands/decoded-event.ts';
import type { JobEvent } from '../../src/domain/job/events.ts';
import { deadLettersProjection } from '../../src/projections/dead-letters.ts';
import { jobsProjection } from '../../src/projections/jobs.ts';
import type { Queries } from '../../src/projections/queries.ts';
import { queueStatsProjection } from '../../src/projections/queue-stats.ts';
import { createDatabase, type TestDatabase } from './database.ts';
import { decodedJobEvent } from './job-histories.ts';
import { Projected } from './projected.ts';

export const NOW = 1_700_000_000_000;
export const MINUTE = 60_000;
export const HOUR = 3_600_000;

/** A database with the read models, and queries for which it is always NOW. */
export async function queried(): Promise<{
  readonly database: TestDatabase;
  readonly projected: Projected;
  readonly queries: Queries;
}> {
  const database = await createDatabase();
  const projections = [jobsProjection, deadLettersProjection, queueStatsProjection];
  const projected = await Projected.prepare(database.pool, projections);
  return { database, projected, queries: createQueries({ pool: database.pool, clock: { now: () => NOW } }) };
}

/** A UUIDv7 of a time. */
export function idOf(at: number, number: number): string {
  const hex = at.toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-${number.toString(16).padStart(12, '0')}`;
}

/** The events of one job, all of them at the same time. */
export const life = (
  tenantId: string,
  jobId: string,
  at: number,
  ...events: readonly JobEvent[]
): DecodedEvent[] => events.map((event, revision) => decodedJobEvent(tenantId, jobId, revision, event, at));
