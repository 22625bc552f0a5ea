import { createApiKey } from '../../src/adapters/postgres/api-keys.ts';
import { createPool } from '../../src/adapters/postgres/pool.ts';
import { DEFAULT_TERMS } from '../../src/domain/tenant-quota/limits.ts';
import { createEngine, type Engine } from '../../src/engine.ts';
import { type Handlers, JobsClient, JobsWorker } from '../../src/sdk/index.ts';
import { SERVICE, startServer } from '../compare/server-process.ts';

export interface Jobs {
  readonly [type: string]: { readonly payload: { readonly at: number } };
  readonly steady: { readonly payload: { readonly at: number } };
  readonly flood: { readonly payload: { readonly at: number } };
}

interface Working {
  readonly handlers: Handlers<Jobs>;
  readonly concurrency: number;
  readonly prefetch: number;
}

/** What a tenant floods while another one works with it. */
export interface FloodedService {
  /** One job of the tenant that works. */
  enqueue(at: number): Promise<unknown>;
  /** A worker for both tenants. */
  work(working: Working): { stop(): Promise<void> };
  /** Where the process that floods finds it. */
  readonly environment: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

/** In the program's own process; the flood comes from another program's, into the same database. */
export async function engineOf(databaseUrl: string, rate: number): Promise<FloodedService> {
  const engine = await createEngine({ databaseUrl });
  await limitFlood(engine, rate);
  return {
    enqueue: (at) => engine.enqueue('steady', [{ type: 'steady', payload: { at } }]),
    work: (working) => engine.worker<Jobs>(working).start(),
    environment: { DATABASE_URL: databaseUrl },
    stop: () => engine.stop(),
  };
}

/** One server that both tenants and the worker reach over HTTP. */
export async function serverOf(databaseUrl: string, rate: number): Promise<FloodedService> {
  const engine = await createEngine({ databaseUrl, roles: new Set() });
  await limitFlood(engine, rate);
  await engine.stop();
  const server = await startServer(SERVICE, databaseUrl);
  const pool = createPool({ connectionString: databaseUrl });
  const connectionOf = async (role: 'producer' | 'worker', ...tenants: readonly string[]) => {
    const { token } = await createApiKey(pool, { name: `${role} ${tenants}`, tenants, role });
    return { url: server.url, apiKey: token };
  };
  const steady = new JobsClient<Jobs>(await connectionOf('producer', 'steady'));
  const connection = await connectionOf('worker', 'steady', 'flood');
  const flood = await connectionOf('producer', 'flood');
  await pool.end();
  return {
    enqueue: (at) => steady.enqueue('steady', { at }),
    work: (working) => new JobsWorker<Jobs>({ connection, ...working }).start(),
    environment: { SERVICE_URL: flood.url, API_KEY: flood.apiKey },
    stop: () => server.stop(),
  };
}

async function limitFlood({ parts }: Engine, rate: number): Promise<void> {
  if (rate === 0) return;
  const { useCases, ids } = parts;
  const limits = { ...DEFAULT_TERMS.limits, enqueuesPerSecond: rate, enqueueBurst: Math.ceil(rate / 10) };
  const actor = { id: 'bench', auth: 'in_process' } as const;
  const context = { tenantId: 'flood', actor, correlationId: ids.next() };
  await useCases.setTerms(context, { ...DEFAULT_TERMS, limits }, {});
}
