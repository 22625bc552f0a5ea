import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { migrate } from '../../src/adapters/postgres/migrate.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';

describe('migrate', () => {
  let database: TestDatabase;
  let folder: string;

  beforeEach(async () => {
    database = await createDatabase();
    await database.pool.query('drop schema eventzr cascade');
    folder = await mkdtemp(join(tmpdir(), 'migrations-'));
    await write('0001_first.sql', 'create table first (id int)');
    await write('0002_second.sql', 'create table second (id int); insert into second values (1)');
  });
  afterEach(async () => {
    await rm(folder, { recursive: true });
    await database[Symbol.asyncDispose]();
  });

  const write = (name: string, sql: string) => writeFile(join(folder, name), sql);
  const run = () => migrate(database.pool, pathToFileURL(`${folder}/`));

  test('applies what is missing in order, into the schema eventzr, and nothing twice', async () => {
    await run();
    await write('0003_third.sql', 'insert into second values (3)');
    await run();
    await run();

    const { rows } = await database.pool.query('select id from eventzr.second order by id');
    expect(rows).toEqual([{ id: 1 }, { id: 3 }]);
  });

  test('runs in several processes at once', async () => {
    await Promise.all(Array.from({ length: 8 }, run));

    const { rows } = await database.pool.query('select id from second');
    expect(rows).toEqual([{ id: 1 }]);
  });

  test('leaves no trace of a migration that fails', async () => {
    await write('0003_third.sql', 'create table third (id int); select 1 / 0');

    await expect(run()).rejects.toMatchObject({ code: '22012' });
    const { rows } = await database.pool.query(`select max(version) as version, to_regclass('third') as third
       from schema_version`);
    expect(rows).toEqual([{ version: 2, third: null }]);
  });

  test('refuses a database of a newer version', async () => {
    await write('0003_third.sql', 'select 1');
    await run();
    await rm(join(folder, '0003_third.sql'));

    await expect(run()).rejects.toMatchObject({ code: 'schema_newer' });
  });

  test('refuses a migration that was changed after it was applied', async () => {
    await run();
    await write('0002_second.sql', 'select 2');

    await expect(run()).rejects.toMatchObject({ code: 'schema_changed' });
  });
});
