import pg from 'pg';
import { StartupError } from '../process/startup-error.ts';

const OLDEST_VERSION = 14;
const CONNECT_WITHIN_MS = 10_000;

/** Connects once. Throws a StartupError that says, without the password, why the database cannot be used. */
export async function checkDatabase(url: string): Promise<void> {
  const { hostname, port, username, pathname } = new URL(url);
  const where = `${hostname || 'localhost'}:${port || 5432}`;
  const database = decodeURIComponent(pathname.slice(1)) || username;
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: CONNECT_WITHIN_MS });
  client.on('error', () => {});
  try {
    await client.connect();
    const { rows } = await client.query<{ version: number }>(
      `select current_setting('server_version_num')::int / 10000 as version`,
    );
    const version = rows[0]?.version ?? 0;
    if (version < OLDEST_VERSION) {
      throw new StartupError(
        'database_version',
        `the PostgreSQL at ${where} is version ${version}; this service needs ${OLDEST_VERSION} or later`,
      );
    }
  } catch (error) {
    throw explain(error, where, username, database);
  } finally {
    await client.end().catch(() => {});
  }
}

function explain(error: unknown, where: string, user: string, database: string): Error {
  if (error instanceof StartupError) return error;
  const { code, message } = error as { code?: string; message: string };
  switch (code) {
    case '28P01':
    case '28000':
      return new StartupError(
        'database_auth',
        `PostgreSQL at ${where} does not let user "${user}" in: ${message}; check user and password in DATABASE_URL`,
      );
    case '3D000':
      return new StartupError(
        'database_missing',
        `there is no database "${database}" at ${where}; create it with: createdb -h ${where.replace(':', ' -p ')} -U ${user} ${database}`,
      );
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return new StartupError(
        'database_refused',
        `there is no host named ${where.split(':')[0]}; check DATABASE_URL`,
      );
    default:
      return new StartupError(
        'database_refused',
        `no PostgreSQL answers at ${where} (${code ?? message}); start it, check DATABASE_URL, or unset it to use the embedded one`,
        { cause: error },
      );
  }
}
