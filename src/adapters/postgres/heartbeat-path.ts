import type pg from 'pg';
import type { HeartbeatPath } from '../../commands/heartbeat-path.ts';

/** `process` names this one, and no other ever. On the connections that heartbeats use: it is their way that counts. */
export function postgresHeartbeatPath(pool: pg.Pool, process: string): HeartbeatPath {
  return {
    async sign(anew) {
      await pool.query(SIGN, [process, anew]);
    },
    async looked() {
      await pool.query(LOOKED);
    },
    async steady() {
      const { rows } = await pool.query<{ process: string; signs: string }>(STEADY);
      return new Map(rows.map((row) => [row.process, Number(row.signs)]));
    },
  };
}

// A gap of three seconds is a break, whatever made it: the process, the machine or the database stood still.
const SIGN = `
insert into heartbeat_signs as sign (process, since, seen_at, signs)
values ($1, clock_timestamp(), clock_timestamp(), 1)
on conflict (process) do update
set
  since = case
    when $2 or sign.seen_at < clock_timestamp() - interval '3 seconds' then clock_timestamp()
    else sign.since
  end,
  seen_at = clock_timestamp(),
  signs = sign.signs + 1`;

const LOOKED = `
with forgotten as (
  delete from heartbeat_signs
  where seen_at < clock_timestamp() - interval '1 minute'
)
insert into lease_looks (looked_at)
values (clock_timestamp())
on conflict (one) do update
set looked_at = excluded.looked_at`;

const STEADY = `
select sign.process, sign.signs
from heartbeat_signs as sign
join lease_looks as look
  on sign.since <= look.looked_at`;
