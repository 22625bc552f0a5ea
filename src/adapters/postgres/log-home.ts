import type pg from 'pg';
import { StartupError } from '../process/startup-error.ts';

/** Where a log is, as the database notes it: in this very database, or in EventStoreDB under a prefix. */
export function logPlace(eventStoreDb: { readonly streamPrefix: string } | undefined): string {
  return eventStoreDb ? `EventStoreDB, streams ${eventStoreDb.streamPrefix}*` : HERE;
}

/**
 * Throws a StartupError when the log is known to be somewhere else: read models would be taken for those of another log,
 * and jobs would be out of sight.
 */
export async function checkLogHome(pool: pg.Pool, place: string): Promise<void> {
  const { rows } = await pool.query<{ place: string }>(SELECT_HOME, [HERE]);
  const [home] = rows;
  if (home === undefined || home.place === place) return;
  throw new StartupError(
    'log_elsewhere',
    `the event log of this database is in ${nameOf(home.place)}, not in ${nameOf(place)}: ` +
      'set EVENTSTOREDB_URL and EVENTSTOREDB_STREAM_PREFIX as before, or use another database',
  );
}

/** Decides for ever, if nobody has yet; throws like checkLogHome. Only for a log that has been found to work. */
export async function settleLogHome(pool: pg.Pool, place: string): Promise<void> {
  await pool.query(NOTE, [place, HERE]);
  await checkLogHome(pool, place);
}

const HERE = 'postgres';

const nameOf = (place: string): string => (place === HERE ? 'PostgreSQL' : place);

/** A database that has events of its own is their home, whenever it is first asked. */
const SELECT_HOME = `
select place from log_home
union all
select $1
where exists (select from events)
  and not exists (select from log_home)`;

const NOTE = `
insert into log_home (place)
select case when exists (select from events) then $2 else $1 end
on conflict (one) do nothing`;
