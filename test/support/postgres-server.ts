/** Vitest's global set-up: finds the Postgres server that the tests use. */
export default function setup(): void {
  if (!process.env['DATABASE_URL'])
    throw new Error('set DATABASE_URL to a PostgreSQL 14+ server for the tests');
}
