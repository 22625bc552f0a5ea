import type pg from 'pg';
import type { ActivitySign } from '../../commands/active-tenants.ts';

/** By the database's clock, so that processes need not agree about the time. */
export function postgresActivitySign(pool: pg.Pool): ActivitySign {
  return {
    async tell() {
      await pool.query({ name: 'tell_activity', text: TELL });
    },

    async wasToldWithin(ms) {
      const { rows } = await pool.query({ name: 'activity_sign_told', text: TOLD, values: [ms] });
      return rows.length > 0;
    },
  };
}

const TELL = `
insert into activity_sign (told_at)
values (clock_timestamp())
on conflict (only_row) do update
set told_at = excluded.told_at`;

const TOLD = `
select
from activity_sign
where told_at between clock_timestamp() - $1 * interval '1 millisecond' and clock_timestamp()`;
