import type pg from 'pg';
import { StartupError } from '../process/startup-error.ts';

/** The log in this very database. */
export const HERE = 'postgres';

/**
 * Notes at the first start where the log is, and throws a StartupError when it is somewhere else later: read models would
 * be taken for those of another log, and jobs would be out of sight.
 */
export async function checkLogHome(pool: pg.Pool, place: string): Promise<void> {
  await pool.query(NOTE, [place, HERE]);
  const { rows } = await pool.query<{ place: string }>('select place from log_home');
  const [home] = rows;
  if (home === undefined || home.place === place) return;
  throw new StartupError(
    'log_elsewhere',
    `the event log of this database is in ${nameOf(home.place)}, not in ${nameOf(place)}: ` +
      'set EVENTSTOREDB_URL and EVENTSTOREDB_STREAM_PREFIX as before, or use another database',
  );
}

const nameOf = (place: string): string => (place === HERE ? 'PostgreSQL' : place);

/** A database that has events of its own is their home, whenever it is first asked. */
const NOTE = `
insert into log_home (place)
select case when exists (select from events) then $2 else $1 end
on conflict (one) do nothing`;
