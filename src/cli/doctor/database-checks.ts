import type pg from 'pg';
import { MigrationError, pendingMigrations } from '../../adapters/postgres/migrate.ts';
import { SCHEMA } from '../../adapters/postgres/pool.ts';
import { ageText, numberText } from '../format.ts';
import { type Check, failed, ok, warning } from './check.ts';

const SKEW_WARNING_MS = 500;
const SKEW_FAILURE_MS = 5_000;
const OLD_TRANSACTION_S = 60;
const STUCK_TRANSACTION_S = 600;
const MANY_DEAD = 50_000;

/** What the database says about itself. */
export function databaseChecks(pool: pg.Pool): readonly Check[] {
  return [
    { name: 'database', run: () => versionFinding(pool) },
    { name: 'clock', run: () => clockFinding(pool) },
    { name: 'migrations', run: () => migrationFinding(pool) },
    { name: 'old transactions', run: () => transactionFinding(pool) },
    { name: 'dead rows', run: () => deadRowFinding(pool) },
    { name: 'connections', run: () => connectionFinding(pool) },
  ];
}

async function versionFinding(pool: pg.Pool) {
  const { rows } = await pool.query<{ version: string; durable: boolean }>(VERSION);
  const version = `PostgreSQL ${rows[0]?.version}`;
  if (rows[0]?.durable) return ok(version);
  return failed(
    `${version} does not write to disk before it answers (fsync, synchronous_commit or full_page_writes is off)`,
    'turn all three on: without them accepted jobs can be lost',
  );
}

/** The events' times come from this machine, leases and timers are compared with them. */
async function clockFinding(pool: pg.Pool) {
  const before = Date.now();
  const { rows } = await pool.query<{ now_ms: number }>(NOW);
  const skew = (rows[0]?.now_ms ?? 0) - (before + Date.now()) / 2;
  const detail = `the database's clock is ${ageText(Math.abs(skew))} ${skew < 0 ? 'behind' : 'ahead'}`;
  const fix = 'let both machines keep time by NTP';
  if (Math.abs(skew) > SKEW_FAILURE_MS) return failed(detail, fix);
  return Math.abs(skew) > SKEW_WARNING_MS ? warning(detail, fix) : ok(detail);
}

async function migrationFinding(pool: pg.Pool) {
  try {
    const pending = await pendingMigrations(pool);
    if (pending.length === 0) return ok('all applied');
    return warning(`${pending.join(', ')} not applied yet`, 'the next start of the service applies them');
  } catch (error) {
    if (!(error instanceof MigrationError)) throw error;
    return failed(error.message, 'use the version of the service that belongs to this database');
  }
}

/** Rows that were deleted can't be cleaned up while an older transaction might still look at them. */
async function transactionFinding(pool: pg.Pool) {
  const { rows } = await pool.query<OldTransaction>(OLDEST);
  const [oldest] = rows;
  if (!oldest || oldest.seconds < OLD_TRANSACTION_S) return ok('none holds up the clean-up');
  const detail = `${oldest.what} holds up the clean-up for ${ageText(oldest.seconds * 1_000)}`;
  const fix = oldest.remedy;
  return oldest.seconds > STUCK_TRANSACTION_S ? failed(detail, fix) : warning(detail, fix);
}

async function deadRowFinding(pool: pg.Pool) {
  const { rows } = await pool.query<{ name: string; dead: string; live: string }>(DEAD_ROWS);
  const [worst] = rows.filter(({ dead, live }) => Number(dead) > MANY_DEAD && Number(dead) > Number(live));
  if (!worst) return ok('cleaned up in time');
  const count = `${numberText(Number(worst.dead))} dead rows beside ${numberText(Number(worst.live))} live ones`;
  return warning(
    `${worst.name}: ${count}`,
    `vacuum ${worst.name}; and see that autovacuum is on and nothing holds it up`,
  );
}

async function connectionFinding(pool: pg.Pool) {
  const { rows } = await pool.query<{ used: number; most: number }>(CONNECTIONS);
  const { used = 0, most = 1 } = rows[0] ?? {};
  const detail = `${used} of ${most} in use`;
  if (used < most * 0.9) return ok(detail);
  return warning(detail, 'raise max_connections, or lower DATABASE_CONNECTIONS');
}

interface OldTransaction {
  readonly what: string;
  readonly seconds: number;
  readonly remedy: string;
}

const VERSION = `
select
  current_setting('server_version') as version,
  current_setting('fsync') = 'on'
    and current_setting('full_page_writes') = 'on'
    and current_setting('synchronous_commit') <> 'off' as durable`;

const NOW = `select (extract(epoch from clock_timestamp()) * 1000)::float8 as now_ms`;

const OLDEST = `
select *
from (
  select
    format('a transaction of %s (process %s, %s)', coalesce(nullif(application_name, ''), usename), pid, state) as what,
    extract(epoch from clock_timestamp() - xact_start)::float8 as seconds,
    format('select pg_terminate_backend(%s)', pid) as remedy
  from pg_stat_activity
  where backend_xmin is not null
    and xact_start is not null
    and pid <> pg_backend_pid()
  union all
  select
    format('the prepared transaction %s', gid),
    extract(epoch from clock_timestamp() - prepared)::float8,
    format('rollback prepared %L', gid)
  from pg_prepared_xacts
) held
order by seconds desc
limit 1`;

const DEAD_ROWS = `
select relname as name, n_dead_tup as dead, n_live_tup as live
from pg_stat_user_tables
where schemaname = '${SCHEMA}'
order by n_dead_tup desc
limit 20`;

const CONNECTIONS = `
select count(*)::int as used, current_setting('max_connections')::int as most
from pg_stat_activity
where backend_type = 'client backend'`;
