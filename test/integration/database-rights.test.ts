import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { describe, expect, it } from 'vitest';
import { createEngine } from '../../src/engine.ts';

describe('the first start on a database of a company', () => {
  it('needs nothing but the right to make the schema', async () => {
    await using database = await emptyDatabase('grant create on database %d to %r');
    await using engine = await createEngine({ databaseUrl: database.url, roles: new Set() });
    await expect(engine.enqueue('acme', [{ type: 'mail.send' }])).resolves.toMatchObject([
      { kind: 'created' },
    ]);
  });

  it('needs no right but in its schema when that was made for it', async () => {
    await using database = await emptyDatabase('create schema eventzr authorization %r');
    await using engine = await createEngine({ databaseUrl: database.url, roles: new Set() });
    await expect(engine.enqueue('acme', [{ type: 'mail.send' }])).resolves.toMatchObject([
      { kind: 'created' },
    ]);
  });

  it('says which right is missing', async () => {
    await using database = await emptyDatabase();
    await expect(createEngine({ databaseUrl: database.url })).rejects.toMatchObject({
      name: 'StartupError',
      code: 'database_rights',
      message: expect.stringMatching(/permission denied for database test_.*grant create on database/),
    });
  });

  it('says that it may not write', async () => {
    await using database = await emptyDatabase('alter database %d set default_transaction_read_only = on');
    await expect(createEngine({ databaseUrl: database.url })).rejects.toMatchObject({
      name: 'StartupError',
      code: 'database_rights',
      message: expect.stringMatching(/can't be written to: .*default_transaction_read_only/),
    });
  });

  it('leaves a schema alone that belongs to somebody else', async () => {
    await using database = await emptyDatabase(
      'create schema eventzr authorization %r; create table eventzr.events (id int)',
    );
    await expect(createEngine({ databaseUrl: database.url })).rejects.toMatchObject({
      name: 'StartupError',
      code: 'database_schema',
      message: expect.stringMatching(/"events" already exists; rename that schema/),
    });
  });

  it('says in a line that the schema is of a newer version', async () => {
    await using database = await emptyDatabase('create schema eventzr authorization %r');
    const engine = await createEngine({ databaseUrl: database.url, roles: new Set() });
    await engine.parts.pool.query(
      `insert into schema_version (version, name, checksum) values (9999, 'later', '')`,
    );
    await engine.stop();
    await expect(createEngine({ databaseUrl: database.url })).rejects.toMatchObject({
      name: 'StartupError',
      code: 'database_schema',
      message: expect.stringMatching(/has migration 9999 \(later\).*at least as new/),
    });
  });
});

interface EmptyDatabase extends AsyncDisposable {
  /** As a role that may connect, and what was granted. */
  readonly url: string;
}

/** `%d` and `%r` in the statement stand for the database and the role. */
async function emptyDatabase(statement?: string): Promise<EmptyDatabase> {
  const name = `test_${randomBytes(8).toString('hex')}`;
  const server = new URL(process.env.DATABASE_URL ?? '');
  const own = new URL(server);
  own.pathname = `/${name}`;
  await execute(server, `create database ${name}`);
  await execute(server, `create role ${name} login password 'secret'`);
  if (statement) await execute(own, statement.replace('%d', name).replace('%r', name));
  const url = new URL(own);
  url.username = name;
  url.password = 'secret';
  return {
    url: url.href,
    async [Symbol.asyncDispose]() {
      await execute(server, `drop database ${name} with (force)`);
      await execute(server, `drop role ${name}`);
    },
  };
}

async function execute(url: URL, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url.href });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
