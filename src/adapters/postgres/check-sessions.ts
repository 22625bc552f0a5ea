import type pg from 'pg';
import { StartupError } from '../process/startup-error.ts';

type Sessions = { connect(): Promise<Pick<pg.PoolClient, 'query' | 'release'>> };

/**
 * Throws a StartupError when connections are no sessions of their own, as behind PgBouncer with transaction pooling:
 * settings and prepared statements would turn up in the hands of others. A pooler gives out again what it got back last.
 */
export async function checkSessions(pool: Sessions): Promise<void> {
  const one = await pool.connect();
  try {
    const session = await sessionOf(one);
    const other = await pool.connect();
    try {
      await other.query('begin');
      const taken = (await sessionOf(other)) === session;
      // With a single session behind the pooler this would wait for ever.
      const kept = !taken && (await sessionOf(one)) === session;
      await other.query('rollback');
      if (!kept) throw new StartupError('database_pooler', REFUSAL);
    } finally {
      other.release();
    }
  } finally {
    one.release();
  }
}

async function sessionOf(client: Pick<pg.PoolClient, 'query'>): Promise<number | undefined> {
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
  return rows[0]?.pid;
}

const REFUSAL =
  'DATABASE_URL leads to a connection pooler that gives sessions to others after each transaction; ' +
  'use its session pooling, or connect to PostgreSQL directly';
