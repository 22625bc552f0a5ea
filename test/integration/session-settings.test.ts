import { describe, expect, it } from 'vitest';
import { createPool } from '../../src/adapters/postgres/pool.ts';
import { createDatabase } from '../support/database.ts';

describe('a database with settings of its own', () => {
  it('does not change how transactions see each other, nor how long they wait', async () => {
    await using database = await createDatabase();
    const name = new URL(database.url).pathname.slice(1);
    for (const setting of [
      `default_transaction_isolation = 'repeatable read'`,
      `search_path = 'elsewhere'`,
      `statement_timeout = '2s'`,
      `lock_timeout = '1ms'`,
      `idle_in_transaction_session_timeout = '1ms'`,
      `idle_session_timeout = '5s'`,
    ])
      await database.pool.query(`alter database ${name} set ${setting}`);
    const pool = createPool({ connectionString: database.url, max: 1 });
    try {
      const { rows } = await pool.query(SETTINGS);
      expect(rows).toEqual([
        {
          isolation: 'read committed',
          search_path: 'eventzr, public',
          statement_timeout: '30s',
          lock_timeout: '0',
          idle_in_transaction: '1min',
          idle: '0',
        },
      ]);
    } finally {
      await pool.end();
    }
  });

  it('does not change what is read from it', async () => {
    await using database = await createDatabase();
    const name = new URL(database.url).pathname.slice(1);
    for (const setting of [
      `datestyle = 'German'`,
      `timezone = 'Asia/Tokyo'`,
      `extra_float_digits = -5`,
      `array_nulls = off`,
      `standard_conforming_strings = off`,
    ])
      await database.pool.query(`alter database ${name} set ${setting}`);
    const pool = createPool({ connectionString: database.url, max: 1 });
    try {
      const { rows } = await pool.query(VALUES);
      expect(rows).toEqual([
        {
          instant: new Date('2026-11-02T23:30:00Z'),
          day: '2026-11-02',
          number: 0.1234567890123456,
          none: [null],
          backslash: '\\n',
        },
      ]);
    } finally {
      await pool.end();
    }
  });

  it('does not end long transactions', async () => {
    await using database = await createDatabase();
    const { rows: known } = await database.pool.query(KNOWN);
    if (known.length === 0) return;
    const name = new URL(database.url).pathname.slice(1);
    await database.pool.query(`alter database ${name} set transaction_timeout = '5s'`);
    const pool = createPool({ connectionString: database.url, max: 1 });
    try {
      const { rows } = await pool.query('show transaction_timeout');
      expect(rows).toEqual([{ transaction_timeout: '0' }]);
    } finally {
      await pool.end();
    }
  });
});

const SETTINGS = `
select
  current_setting('transaction_isolation') as isolation,
  current_setting('search_path') as search_path,
  current_setting('statement_timeout') as statement_timeout,
  current_setting('lock_timeout') as lock_timeout,
  current_setting('idle_in_transaction_session_timeout') as idle_in_transaction,
  current_setting('idle_session_timeout') as idle`;

const VALUES = `
select
  timestamptz '2026-11-02T23:30:00Z' as instant,
  (timestamptz '2026-11-02T23:30:00Z')::date::text as day,
  0.1234567890123456::float8 as number,
  '{NULL}'::text[] as none,
  '\\n' as backslash`;

// PostgreSQL 17 and later.
const KNOWN = `select from pg_settings where name = 'transaction_timeout'`;
