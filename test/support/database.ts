import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { migrate } from '../../src/adapters/postgres/migrate.ts';
import { createPool } from '../../src/adapters/postgres/pool.ts';

export interface TestDatabase extends AsyncDisposable {
  readonly url: string;
  readonly pool: pg.Pool;
}

/** A fresh, migrated database of its own for one test file or test; dropped on dispose. */
export async function createDatabase(): Promise<TestDatabase> {
  const server = process.env.DATABASE_URL;
  if (!server) throw new Error('DATABASE_URL is not set; test/support/postgres-server.ts should have set it');
  return createDatabaseAt(server);
}

/** The same on a server of the test's own. */
export async function createDatabaseAt(server: string): Promise<TestDatabase> {
  const name = `test_${randomBytes(8).toString('hex')}`;
  await execute(server, `create database ${name}`);
  const url = new URL(server);
  url.pathname = `/${name}`;
  const pool = createPool({ connectionString: url.href, max: 10, applicationName: name });
  await migrate(pool);
  return {
    url: url.href,
    pool,
    async [Symbol.asyncDispose]() {
      await pool.end();
      await execute(server, `drop database if exists ${name} with (force)`);
    },
  };
}

async function execute(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
