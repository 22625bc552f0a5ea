import { rm } from 'node:fs/promises';
import { startEmbeddedPostgres } from '../../src/adapters/postgres/embedded-postgres.ts';
import { tempFolder } from './temp-folder.ts';

/**
 * Vitest's global set-up: the PostgreSQL that the tests use. The one in DATABASE_URL, or one of our own that is gone
 * afterwards. Without fsync: what must survive a kill is tested on servers that a test starts itself, and no test cuts
 * the power.
 */
export default async function setup(): Promise<(() => Promise<void>) | undefined> {
  if (process.env.DATABASE_URL) return undefined;
  const { path } = await tempFolder();
  const server = await startEmbeddedPostgres({
    dataDir: `${path}/data`,
    settings: { fsync: 'off', max_connections: '300' },
  });
  process.env.DATABASE_URL = server.url;
  return async () => {
    await server.stop();
    await rm(path, { recursive: true, force: true });
  };
}
