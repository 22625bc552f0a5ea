import { rm } from 'node:fs/promises';
import { startEmbeddedPostgres } from '../../src/adapters/postgres/embedded-postgres.ts';
import { dockerAnswers, imageOf } from './containers.ts';
import { tempFolder } from './temp-folder.ts';

/**
 * Vitest's global set-up: the PostgreSQL that the tests use. The one in DATABASE_URL; with TEST_POSTGRES=container (or the
 * name of an image, for other versions) one in a container; or one of our own that is gone afterwards. Without fsync:
 * what must survive a kill is tested on servers that a test starts itself, and no test cuts the power.
 */
export default async function setup(): Promise<(() => Promise<void>) | undefined> {
  if (process.env.DATABASE_URL) return undefined;
  const { TEST_POSTGRES: wanted } = process.env;
  if (wanted) return inContainer(wanted === 'container' ? imageOf('postgres') : wanted);
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

async function inContainer(image: string): Promise<() => Promise<void>> {
  if (!dockerAnswers()) throw new Error('TEST_POSTGRES is set, but Docker does not answer');
  const { GenericContainer, Wait } = await import('testcontainers');
  const container = await new GenericContainer(image)
    .withExposedPorts(5432)
    .withEnvironment({ POSTGRES_HOST_AUTH_METHOD: 'trust' })
    .withCommand(['postgres', '-c', 'fsync=off', '-c', 'max_connections=300'])
    // The second time: the first is the server that makes the database.
    .withWaitStrategy(Wait.forLogMessage(/database system is ready to accept connections/, 2))
    .withStartupTimeout(120_000)
    .start();
  process.env.DATABASE_URL = `postgres://postgres@${container.getHost()}:${container.getMappedPort(5432)}/postgres`;
  return () => container.stop().then(() => undefined);
}
