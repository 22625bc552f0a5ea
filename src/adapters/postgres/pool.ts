import pg from 'pg';

export interface PoolSettings {
  readonly connectionString: string;
  /** Most connections; default 10. */
  readonly max?: number | undefined;
  /** Shown in pg_stat_activity; default `eventzr-jobs`. */
  readonly applicationName?: string | undefined;
  /** The server gives up a statement after this long; default 30 s, 0 for never. */
  readonly statementTimeoutMs?: number | undefined;
  /** How long a caller waits for an answer, should the server not give up a statement itself; default: for ever. */
  readonly queryTimeoutMs?: number | undefined;
  /** How long a caller waits for a connection; default 10 s. */
  readonly connectTimeoutMs?: number | undefined;
  /** Told about idle connections that broke, for example when the server restarts. */
  readonly onError?: ((error: Error) => void) | undefined;
}

/** Everything of ours lives in this schema; SQL uses unqualified names. */
export const SCHEMA = 'eventzr';

/**
 * A connection pool whose sessions see the schema `eventzr` first. bigint columns arrive as strings, node-postgres'
 * default: make a BigInt of positions, and a Number only of what is known to be small. A broken idle connection is
 * dropped and replaced; it never takes the process down.
 */
export function createPool(settings: PoolSettings): pg.Pool {
  const { statementTimeoutMs = 30_000 } = settings;
  const pool = new pg.Pool({
    connectionString: settings.connectionString,
    max: settings.max ?? 10,
    application_name: settings.applicationName ?? 'eventzr-jobs',
    connectionTimeoutMillis: settings.connectTimeoutMs ?? 10_000,
    ...(settings.queryTimeoutMs === undefined ? {} : { query_timeout: settings.queryTimeoutMs }),
    keepAlive: true,
    // Settings travel in a statement, not in the start-up packet: connection poolers refuse unknown start-up options.
    onConnect: async (client) => {
      await client.query(prepareSession(statementTimeoutMs));
    },
  });
  // Connections that the server closes while the pool ends are no news.
  pool.on('error', (error) => !pool.ending && settings.onError?.(error));
  // The pool listens to idle connections only. One that breaks while in use fails its statement, which says so; but the
  // event that comes with it, unheard, would end the process.
  pool.on('connect', (client) => client.on('error', () => undefined));
  return pool;
}

/**
 * A role or a database may have any settings of its own. The SQL here is right under `read committed` only (what was
 * read before a lock counts no more after it), answers are read as PostgreSQL writes them by default, and waits are
 * bounded by the statement's timeout and by callers: a shorter patience, meant for other programs, would break them off.
 */
const prepareSession = (statementTimeoutMs: number) => `
select
  set_config('search_path', '${SCHEMA}, public', false),
  set_config('default_transaction_isolation', 'read committed', false),
  set_config('DateStyle', 'ISO, MDY', false),
  set_config('TimeZone', 'UTC', false),
  set_config('extra_float_digits', '1', false),
  set_config('array_nulls', 'on', false),
  set_config('standard_conforming_strings', 'on', false),
  set_config('statement_timeout', '${Math.trunc(statementTimeoutMs)}', false),
  set_config('lock_timeout', '0', false),
  set_config('idle_in_transaction_session_timeout', '60000', false),
  set_config('idle_session_timeout', '0', false),
  (select set_config(name, '0', false) from pg_settings where name = 'transaction_timeout')`;
