import type { ClientBase } from 'pg';
import { checkEventStoreDb } from './adapters/eventstoredb/check-eventstoredb.ts';
import { inProcessTransport } from './adapters/in-process/transport.ts';
import { checkDatabase } from './adapters/postgres/check-database.ts';
import { checkLogReach } from './adapters/postgres/check-log-reach.ts';
import { checkSessions } from './adapters/postgres/check-sessions.ts';
import { forgetLeaders } from './adapters/postgres/leadership.ts';
import { checkLogHome, logPlace, settleLogHome } from './adapters/postgres/log-home.ts';
import { migrate } from './adapters/postgres/migrate.ts';
import { setUpProblem } from './adapters/postgres/set-up-problem.ts';
import type { StageResult } from './adapters/postgres/staged-jobs.ts';
import { supervise } from './adapters/supervise.ts';
import { type BackgroundRole, backgroundTasks } from './background.ts';
import type { CallContext } from './commands/call-context.ts';
import type { EnqueueResult } from './commands/use-cases.ts';
import type { Actor } from './domain/metadata.ts';
import { type EngineJob, toEnqueueRequest } from './engine-job.ts';
import { createParts, type Parts, type PartsOptions } from './parts.ts';
import { prepareProjections } from './projections/prepare.ts';
import { type JobMap, JobsWorker, type WorkerOptions } from './sdk/worker.ts';

export interface EngineOptions extends PartsOptions {
  /** Background work of this process. Default: all of it. */
  readonly roles?: ReadonlySet<BackgroundRole> | undefined;
  /** No other process can be on the database, as with the embedded one: dead leaders are not waited for. */
  readonly alone?: boolean | undefined;
  /** How events name this program. Default `engine`. */
  readonly actor?: string | undefined;
}

export type EngineWorkerOptions<Jobs extends JobMap> = Omit<WorkerOptions<Jobs>, 'connection'> & {
  /** Default: jobs of all tenants. */
  readonly tenants?: readonly string[] | '*';
};

const ALL_ROLES: ReadonlySet<BackgroundRole> = new Set(['projections', 'timers', 'forwarder', 'inbox']);

/**
 * The whole service without HTTP: migrates the database, runs the background tasks, carries out use cases. Processes on
 * the same database share the work, whether they are engines or servers.
 */
export class Engine implements AsyncDisposable {
  readonly parts: Parts;
  readonly #actor: Actor;
  readonly #workers = new Set<AsyncDisposable>();
  readonly #stopping = new AbortController();
  readonly #background: Promise<unknown>;
  #stopped: Promise<void> | undefined;

  constructor(parts: Parts, { roles = ALL_ROLES, actor = 'engine' }: EngineOptions) {
    this.parts = parts;
    this.#actor = { id: actor, auth: 'in_process' };
    const { logger, metrics } = parts;
    const { signal } = this.#stopping;
    this.#background = Promise.all(
      backgroundTasks(parts, roles).map((task) => supervise({ ...task, signal, logger, metrics })),
    );
  }

  /** Durable when it resolves; results in the order of the jobs. At most 1,000. */
  enqueue(
    tenantId: string,
    jobs: readonly EngineJob[],
    options?: { readonly atomic?: boolean },
  ): Promise<readonly EnqueueResult[]>;
  /**
   * Inside a transaction of your own on the same database: rolled back with it, in the log soon after it has committed.
   * `client` is any node-postgres client or pool client of yours, with any search_path.
   */
  enqueue(
    tenantId: string,
    jobs: readonly EngineJob[],
    options: { readonly client: Pick<ClientBase, 'query'> },
  ): Promise<readonly StageResult[]>;
  async enqueue(
    tenantId: string,
    jobs: readonly EngineJob[],
    { atomic, client }: { readonly atomic?: boolean; readonly client?: Pick<ClientBase, 'query'> } = {},
  ): Promise<readonly (EnqueueResult | StageResult)[]> {
    const context = { tenantId, ...this.#context() };
    const requests = jobs.map(toEnqueueRequest);
    if (client) return this.parts.stageJobs(client, context, requests);
    return this.parts.useCases.enqueueJobs(context, requests, atomic === undefined ? {} : { atomic });
  }

  /** The SDK's worker, without HTTP between; not started yet. */
  worker<Jobs extends JobMap>({ tenants = '*', ...options }: EngineWorkerOptions<Jobs>): JobsWorker<Jobs> {
    const connection = inProcessTransport(this.parts.useCases, { context: this.#context(), tenants });
    const worker = new JobsWorker<Jobs>({ ...options, connection });
    this.#workers.add(worker);
    void worker.ended.then(() => this.#workers.delete(worker));
    return worker;
  }

  /** Stops its workers as they stop themselves, ends the background tasks, settles what is being written, closes the connections. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #stop(): Promise<void> {
    await Promise.all(Array.from(this.#workers, (worker) => worker[Symbol.asyncDispose]()));
    this.#stopping.abort();
    await this.#background;
    await this.parts.close();
  }

  #context(): Omit<CallContext, 'tenantId'> {
    return { actor: this.#actor, correlationId: this.parts.ids.next() };
  }
}

/** Rejects with StartupError when the database can't be used, in words that say what to do. */
export async function createEngine(options: EngineOptions): Promise<Engine> {
  await checkDatabase(options.databaseUrl);
  const parts = await createParts(options);
  try {
    await checkSessions(parts.pool);
    // On connections that may take their time.
    await migrate(parts.projectionEnvironment.pool);
    const { eventStoreDb } = options;
    const place = logPlace(eventStoreDb);
    await checkLogHome(parts.pool, place);
    if (eventStoreDb) await checkEventStoreDb(eventStoreDb.connectionString);
    await settleLogHome(parts.pool, place);
    if (eventStoreDb) await checkLogReach(parts.pool, place, () => parts.log.head());
    if (options.alone) await forgetLeaders(parts.pool);
    // Queries find their tables from the first request on, whoever will fill them.
    await prepareProjections(parts.pool, parts.projections);
    await parts.tenancy.checkDefaultPlan();
    return new Engine(parts, options);
  } catch (error) {
    await parts.close();
    throw setUpProblem(error);
  }
}
