import type pg from 'pg';
import type { Position } from '../../commands/ports.ts';
import { StartupError } from '../process/startup-error.ts';

/**
 * Throws a StartupError when the log ends before something of this database that follows it: the log was restored to an
 * earlier point, or is another one. Whatever comes now would lie at positions that count as seen, and be skipped.
 *
 * Only for a log in another place than the database, whose backups need not match, and that gives out no position beyond
 * its head. `head` must not know the end from before.
 */
export async function checkLogReach(
  pool: pg.Pool,
  place: string,
  head: () => Promise<Position>,
): Promise<void> {
  // Before the head: other processes move on while we look.
  const { rows } = await pool.query<{ follower: string; position: string }>(FURTHEST);
  const [furthest] = rows;
  if (!furthest) return;
  const end = await head();
  if (BigInt(furthest.position) <= end) return;
  throw new StartupError(
    'log_behind',
    `${furthest.follower} has seen ${place} up to ${furthest.position}, but it ends at ${end}: ` +
      'it was restored to an earlier point, or is another one. Restore the PostgreSQL database of the same moment, or set ' +
      'EVENTSTOREDB_URL as before; without either, have everything built anew, as docs/adr/0014-eventstoredb.md says',
  );
}

const FURTHEST = `
select follower, position
from (
  select 'read model "' || generation.projection || '"' as follower, checkpoint.position
  from projection_generations generation
  join (
    select projection, generation, position from projection_checkpoints
    union all
    select projection, generation, position from projection_checkpoints_unlogged
  ) checkpoint using (projection, generation)
  where generation.status = 'live'
  union all
  select 'feed "' || name || '"', position
  from forwarder_checkpoints
) as followers
where position > 0
order by position desc
limit 1`;
