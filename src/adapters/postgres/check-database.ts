import pg from 'pg';
import { StartupError } from '../process/startup-error.ts';

const OLDEST_VERSION = 14;
const CONNECT_WITHIN_MS = 10_000;

/** SQL_ASCII takes any bytes, and only ever gets UTF-8 from here. */
const ENCODINGS = new Set(['UTF8', 'SQL_ASCII']);

/** Connects once. Throws a StartupError that says, without the password, why the database cannot be used. */
export async function checkDatabase(url: string): Promise<void> {
  const client = clientOf(url);
  const where = client.host.startsWith('/') ? client.host : `${client.host}:${client.port}`;
  client.on('error', () => {});
  try {
    await client.connect();
    const { rows } = await client.query<{ version: number; encoding: string }>(SERVER);
    const { version = 0, encoding = '' } = rows[0] ?? {};
    if (version < OLDEST_VERSION) {
      throw new StartupError(
        'database_version',
        `the PostgreSQL at ${where} is version ${version}; this service needs ${OLDEST_VERSION} or later`,
      );
    }
    if (!ENCODINGS.has(encoding)) {
      throw new StartupError(
        'database_encoding',
        `the database "${client.database}" at ${where} has the encoding ${encoding}, which can't hold every payload; create it with: createdb --encoding UTF8 --template template0`,
      );
    }
  } catch (error) {
    throw explain(error, where, client);
  } finally {
    await client.end().catch(() => {});
  }
}

/** What is not in the URL comes from PGHOST, PGUSER and the like. */
function clientOf(url: string): pg.Client {
  try {
    return new pg.Client({ connectionString: url, connectionTimeoutMillis: CONNECT_WITHIN_MS });
  } catch (error) {
    throw new StartupError('config_invalid', `DATABASE_URL can't be used: ${(error as Error).message}`);
  }
}

function explain(error: unknown, where: string, { user = '', database = '' }: pg.Client): Error {
  if (error instanceof StartupError) return error;
  const { code, message } = error as { code?: string; message: string };
  if (code === '28P01' || code === '28000' || message.startsWith('SASL')) {
    const reason = /password must be a (non-empty )?string/.test(message) ? 'it wants a password' : message;
    return new StartupError(
      'database_auth',
      `PostgreSQL at ${where} does not let user "${user}" in: ${reason}; check user and password in DATABASE_URL`,
    );
  }
  if (code === '3D000') {
    return new StartupError(
      'database_missing',
      `there is no database "${database}" at ${where}; create it with: createdb -h ${where.replace(':', ' -p ')} -U ${user} ${database}`,
    );
  }
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') {
    return new StartupError(
      'database_refused',
      `there is no host named ${where.split(':')[0]}; check DATABASE_URL`,
    );
  }
  if (TLS.test(code ?? message)) {
    return new StartupError(
      'database_tls',
      `no TLS with PostgreSQL at ${where}: ${message}; check sslmode and sslrootcert in DATABASE_URL`,
      { cause: error },
    );
  }
  if (error instanceof pg.DatabaseError) {
    return new StartupError('database_refused', `PostgreSQL at ${where} refuses: ${message}`, {
      cause: error,
    });
  }
  return new StartupError(
    'database_refused',
    `no PostgreSQL answers at ${where} (${code ?? message}); start it, check DATABASE_URL, or unset it to use the embedded one`,
    { cause: error },
  );
}

/** What Node.js finds wrong with a certificate, and what node-postgres says when the server has none. */
const TLS = /CERT|^UNABLE_TO_|^ERR_(TLS|SSL)|does not support SSL/;

const SERVER = `
select
  current_setting('server_version_num')::int / 10000 as version,
  current_setting('server_encoding') as encoding`;
