import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkSessions } from '../../src/adapters/postgres/check-sessions.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';

describe('a connection', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createDatabase();
  });
  afterAll(() => database[Symbol.asyncDispose]());

  it('is taken when it is a session of its own', async () => {
    await checkSessions(database.pool);
    const { rows } = await database.pool.query<{ open: number }>(OPEN_TRANSACTIONS);
    expect(rows).toEqual([{ open: 0 }]);
  });

  it('is refused when it shares the only session with others', async () => {
    await using pooler = await poolerOf(database.pool, 1);
    await expect(checkSessions(pooler)).rejects.toMatchObject({
      name: 'StartupError',
      code: 'database_pooler',
      message: expect.stringMatching(/use its session pooling/),
    });
  });

  it('is refused when its session changes', async () => {
    await using pooler = await poolerOf(database.pool, 4);
    await expect(checkSessions(pooler)).rejects.toMatchObject({ code: 'database_pooler' });
  });
});

type Pooler = Parameters<typeof checkSessions>[0] & AsyncDisposable;

/** Gives every statement the next of a few sessions. */
async function poolerOf(pool: pg.Pool, size: number): Promise<Pooler> {
  const sessions = await Promise.all(Array.from({ length: size }, () => pool.connect()));
  let turn = 0;
  const next = (text: string) => sessions[turn++ % size]?.query(text);
  return {
    connect: async () => ({ query: next, release: () => undefined }) as unknown as pg.PoolClient,
    [Symbol.asyncDispose]: async () => {
      for (const session of sessions) {
        await session.query('rollback');
        session.release();
      }
    },
  };
}

const OPEN_TRANSACTIONS = `
select count(*)::int as open
from pg_stat_activity
where datname = current_database() and state like 'idle in transaction%'`;
