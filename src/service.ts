import type { AddressInfo } from 'node:net';
import type { FastifyInstance } from 'fastify';
import type { Credentials } from './adapters/http/principal.ts';
import { projectionControl } from './adapters/http/projection-control.ts';
import { createServer } from './adapters/http/server.ts';
import { DEFAULT_LIMITS } from './adapters/http/server-parts.ts';
import { type PrometheusMetrics, prometheusMetrics } from './adapters/metrics.ts';
import { apiKeyCredentials } from './adapters/postgres/api-keys.ts';
import { createIdempotencyStore } from './adapters/postgres/idempotency.ts';
import { withDevKey } from './adapters/process/dev-key.ts';
import { supervise } from './adapters/supervise.ts';
import { signHeartbeats } from './commands/heartbeat-path.ts';
import { pause } from './commands/pause.ts';
import type { Logger } from './commands/telemetry.ts';
import type { Config } from './config.ts';
import { createEngine, type Engine } from './engine.ts';
import type { Projection } from './projections/projection.ts';
import { rebuild } from './projections/rebuild.ts';
import { rollback } from './projections/rollback.ts';

export interface ServiceOptions {
  readonly config: Config;
  readonly logger: Logger;
  readonly databaseUrl: string;
  /** Only where the database is the embedded one. */
  readonly devKey: string | undefined;
}

export interface Service {
  /** Where the API answers. */
  readonly url: string;
  readonly engine: Engine;
  /** Refuses new requests, lets those under way end for most of shutdownMs, then ends the background tasks. */
  stop(): Promise<void>;
}

/** The rest is for what they leave to be written, and for the database. */
const REQUESTS_SHARE = 3 / 4;

/** The engine with its HTTP API. Rejects with StartupError when the database or the port can't be used. */
export async function startService(options: ServiceOptions): Promise<Service> {
  const { config, logger, databaseUrl } = options;
  const metrics = prometheusMetrics();
  const engine = await createEngine({
    databaseUrl,
    logger,
    metrics,
    alone: options.devKey !== undefined,
    connections: config.databaseConnections,
    maxPendingEvents: config.maxPendingEvents,
    maxPayloadBytes: config.maxPayloadBytes,
    eventStoreDb: config.eventStoreDb,
    publicUrl: config.publicUrl,
    kafka: config.kafka,
    outbox: config.outbox,
    inbound: config.inbound,
    plans: config.plans,
    roles: new Set([...config.roles].filter((role) => role !== 'api')),
  });
  const stopping = new AbortController();
  const credentials = await credentialsOf(config, engine.parts, options.devKey);
  const server = httpServer(options, { engine, credentials, metrics, signal: stopping.signal });
  try {
    // Every role has the port: it is where health and metrics are, too.
    await server.listen({ host: config.host, port: config.port });
  } catch (error) {
    await engine.stop();
    throw error;
  }
  const { signal } = stopping;
  const signs = config.roles.has('api')
    ? supervise({
        name: 'heartbeat_signs',
        task: signHeartbeats(engine.parts.heartbeatPath),
        signal,
        logger,
        metrics,
      })
    : undefined;
  return {
    url: urlOf(server.server.address() as AddressInfo),
    engine,
    async stop() {
      stopping.abort();
      await Promise.all([signs, closed(server, config.shutdownMs * REQUESTS_SHARE)]);
      await engine.stop();
    },
  };
}

interface HttpServerDeps {
  readonly engine: Engine;
  readonly credentials: Credentials;
  readonly metrics: PrometheusMetrics;
  readonly signal: AbortSignal;
}

function httpServer(
  { config }: ServiceOptions,
  { engine: { parts }, credentials, metrics, signal }: HttpServerDeps,
): FastifyInstance {
  const { pool, clock, ids, logger, projections, projectionEnvironment: environment } = parts;
  const find = (name: string): Projection => {
    const projection = projections.find((candidate) => candidate.name === name);
    if (!projection) throw new Error(`no projection ${name}`);
    return projection;
  };
  return createServer({
    ...parts,
    workers: parts.readyQueue,
    credentials,
    redactions: config.redactions,
    idempotency: createIdempotencyStore({ pool, ids }),
    projections: projectionControl({
      freshness: parts.freshness,
      clock,
      signal,
      rebuild: (name, request) => rebuild({ environment, projection: find(name), ...request }),
      rollback: (name, signal) => rollback({ environment, projection: find(name), signal }),
    }),
    logger,
    metrics,
    metricsText: () => metrics.text(),
    healthChecks: [
      {
        name: 'postgres',
        async check() {
          await pool.query('select 1');
        },
      },
      ...(config.eventStoreDb
        ? [
            {
              name: 'eventstoredb',
              async check() {
                await parts.log.head();
              },
            },
          ]
        : []),
    ],
    limits: { ...DEFAULT_LIMITS, contentBytes: config.maxPayloadBytes },
  });
}

/** Keys, tokens of the identity provider, and the dev key. */
async function credentialsOf(
  { tokens }: Config,
  { pool, clock }: Engine['parts'],
  devKey: string | undefined,
): Promise<Credentials> {
  const keys = apiKeyCredentials(pool);
  const local = devKey === undefined ? keys : withDevKey(devKey, keys);
  if (!tokens) return local;
  // Loaded where it is needed only: it takes as long to load as much of the rest.
  const { remoteKeySet } = await import('./adapters/oidc/key-set.ts');
  const { tokenCredentials } = await import('./adapters/oidc/token-credentials.ts');
  return tokenCredentials({ options: tokens, keys: remoteKeySet(tokens, clock), clock, others: local });
}

/** Ends the server; requests that are still running when the time is up are cut off. */
async function closed(server: FastifyInstance, withinMs: number): Promise<void> {
  const done = new AbortController();
  const closing = server.close().then(() => done.abort());
  await Promise.race([closing, pause(withinMs, done.signal)]);
  server.server.closeAllConnections();
  await closing;
}

function urlOf({ address, port, family }: AddressInfo): string {
  const host = address === '0.0.0.0' || address === '::' ? '127.0.0.1' : address;
  return `http://${family === 'IPv6' && host !== '127.0.0.1' ? `[${host}]` : host}:${port}`;
}
