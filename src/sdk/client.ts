import type { AuditPage, ListAuditQuery } from '../adapters/http/contract/audit.ts';
import type {
  DeadLetter,
  DeadLetterDetail,
  DeadLetterGroup,
  DeadLetterGroupList,
  DeadLetterPage,
  GroupDeadLettersQuery,
  ListDeadLettersQuery,
  ReplayDeadLetterRequest,
} from '../adapters/http/contract/dead-letters.ts';
import type {
  EventPage,
  JobHistory,
  JobHistoryEvent,
  ListEventsQuery,
} from '../adapters/http/contract/events.ts';
import type { Forwarder } from '../adapters/http/contract/forwarder.ts';
import type {
  AmendJobRequest,
  CancelJobRequest,
  EnqueueJobRequest,
  EnqueueJobResponse,
  EnqueueJobsResponse,
  Job,
  JobAttempt,
  JobAttemptList,
  JobPage,
  JobSummary,
  ListJobsQuery,
  RetryJobRequest,
} from '../adapters/http/contract/jobs.ts';
import type { Queue, QueueList } from '../adapters/http/contract/queues.ts';
import type { Quota } from '../adapters/http/contract/quotas.ts';
import type { Stats, Timeseries, TimeseriesQuery } from '../adapters/http/contract/stats.ts';
import type { Worker, WorkerList } from '../adapters/http/contract/workers.ts';
import { eventStream, type FeedEvent, type FeedFilter } from './event-stream.ts';
import { type Call, type ConnectionOptions, request } from './http.ts';
import { type InboundClient, inboundClient } from './inbound.ts';
import { type KeysClient, keysClient } from './keys.ts';
import { type OperationsClient, operationsClient } from './operations.ts';
import { type ProjectionsClient, projectionsClient } from './projections.ts';
import { type RepublicationsClient, republicationsClient } from './republications.ts';
import { type PlansClient, plansClient, type TenantsClient, tenantsClient } from './tenants.ts';
import type { JobMap } from './worker.ts';

type EnqueueOptions = Omit<EnqueueJobRequest, 'type' | 'payload'> & {
  /** Names this enqueue: repeating it with the same key within 24 h answers the first job. Default: drawn at random. */
  readonly idempotencyKey?: string;
  readonly signal?: AbortSignal;
};

type NewJob<Jobs extends JobMap> = {
  [Type in keyof Jobs & string]: Omit<EnqueueJobRequest, 'type' | 'payload'> & {
    readonly type: Type;
    readonly payload: Jobs[Type]['payload'];
  };
}[keyof Jobs & string];

/**
 * The service's HTTP API. Every call is bounded in time, is tried again when that is safe, and rejects with
 * JobsApiError (the service's own problem) or JobsConnectionError.
 */
export class JobsClient<Jobs extends JobMap = JobMap> {
  readonly #connection: ConnectionOptions;
  readonly inbound: InboundClient;
  readonly keys: KeysClient;
  readonly operations: OperationsClient;
  readonly projections: ProjectionsClient;
  readonly republications: RepublicationsClient;
  readonly tenants: TenantsClient;
  readonly plans: PlansClient;

  constructor(connection: ConnectionOptions) {
    this.#connection = connection;
    this.inbound = inboundClient(connection);
    this.keys = keysClient(connection);
    this.operations = operationsClient(connection);
    this.projections = projectionsClient(connection);
    this.tenants = tenantsClient(connection);
    this.plans = plansClient(connection);
    this.republications = republicationsClient(connection);
  }

  /** Durable when it resolves. `deduplicated`: an unfinished job with the same dedupeKey answered. */
  enqueue<Type extends keyof Jobs & string>(
    type: Type,
    payload: Jobs[Type]['payload'],
    { idempotencyKey, signal, ...options }: EnqueueOptions = {},
  ): Promise<EnqueueJobResponse> {
    return this.#post('/v1/jobs', { type, payload, ...options }, { idempotencyKey, signal });
  }

  /** At most 1,000 jobs; results in their order. `atomic`: all are created or none. */
  enqueueBulk(
    jobs: readonly NewJob<Jobs>[],
    {
      atomic,
      idempotencyKey,
      signal,
    }: { atomic?: boolean; idempotencyKey?: string; signal?: AbortSignal } = {},
  ): Promise<EnqueueJobsResponse> {
    const body = atomic === undefined ? { jobs } : { jobs, atomic };
    return this.#post('/v1/jobs/bulk', body, { idempotencyKey, signal });
  }

  /** As it stands; or as it stood after a revision, or at a time. */
  get(id: string, at: { readonly revision?: number; readonly asOf?: Date } = {}): Promise<Job> {
    return this.#get(`/v1/jobs/${segment(id)}`, { revision: at.revision, asOf: at.asOf?.toISOString() });
  }

  /** One page, newest first. */
  list(query: Partial<ListJobsQuery> = {}): Promise<JobPage> {
    return this.#get('/v1/jobs', query as Call['query']);
  }

  /** All that match, newest first, page after page. */
  listAll(query: Partial<ListJobsQuery> = {}): AsyncIterable<JobSummary> {
    return pages((cursor) => this.list(cursor ? { ...query, cursor } : query));
  }

  /** The whole life of a job, oldest event first. */
  async *history(id: string): AsyncIterable<JobHistoryEvent> {
    for (let fromRevision: number | null = 0; fromRevision !== null; ) {
      const page: JobHistory = await this.#get(`/v1/jobs/${segment(id)}/events`, {
        fromRevision,
        limit: 200,
      });
      yield* page.data;
      fromRevision = page.nextRevision;
    }
  }

  async attempts(id: string): Promise<readonly JobAttempt[]> {
    return (await this.#get<JobAttemptList>(`/v1/jobs/${segment(id)}/attempts`)).data;
  }

  cancel(id: string, options: CancelJobRequest = {}): Promise<Job> {
    return this.#post(`/v1/jobs/${segment(id)}/cancel`, options);
  }

  retry(id: string, options: RetryJobRequest = {}): Promise<Job> {
    return this.#post(`/v1/jobs/${segment(id)}/retry`, options);
  }

  /** Only while it waits. `revision`: refuse when it has changed since. */
  amend(id: string, changes: AmendJobRequest, revision?: number): Promise<Job> {
    const headers = revision === undefined ? {} : { 'if-match': `"${revision}"` };
    return request(this.#connection, {
      method: 'PATCH',
      path: `/v1/jobs/${segment(id)}`,
      body: changes,
      headers,
    });
  }

  readonly deadLetters = {
    list: (query: Partial<ListDeadLettersQuery> = {}): Promise<DeadLetterPage> =>
      this.#get('/v1/dead-letters', query as Call['query']),
    listAll: (query: Partial<ListDeadLettersQuery> = {}): AsyncIterable<DeadLetter> =>
      pages((cursor) => this.deadLetters.list(cursor ? { ...query, cursor } : query)),
    groups: async (query: Partial<GroupDeadLettersQuery> = {}): Promise<readonly DeadLetterGroup[]> =>
      (await this.#get<DeadLetterGroupList>('/v1/dead-letters/groups', query as Call['query'])).data,
    get: (id: string): Promise<DeadLetterDetail> => this.#get(`/v1/dead-letters/${segment(id)}`),
    replay: (id: string, options: ReplayDeadLetterRequest = {}): Promise<Job> =>
      this.#post(`/v1/dead-letters/${segment(id)}/replay`, options),
    purge: (id: string, reason: string): Promise<void> =>
      request(this.#connection, {
        method: 'DELETE',
        path: `/v1/dead-letters/${segment(id)}`,
        query: { reason },
      }),
  };

  readonly queues = {
    list: async (): Promise<readonly Queue[]> => (await this.#get<QueueList>('/v1/queues')).data,
    get: (name: string): Promise<Queue> => this.#get(`/v1/queues/${segment(name)}`),
    pause: (name: string, options: { readonly reason?: string; readonly until?: Date } = {}): Promise<void> =>
      request(this.#connection, {
        method: 'PUT',
        path: `/v1/queues/${segment(name)}/pause`,
        body: { reason: options.reason, until: options.until?.toISOString() },
      }),
    resume: (name: string, reason?: string): Promise<void> =>
      request(this.#connection, {
        method: 'DELETE',
        path: `/v1/queues/${segment(name)}/pause`,
        query: { reason },
      }),
    limit: (name: string, concurrencyLimit: number | null, reason?: string): Promise<void> =>
      request(this.#connection, {
        method: 'PATCH',
        path: `/v1/queues/${segment(name)}`,
        body: { concurrencyLimit, reason },
      }),
  };

  readonly workers = {
    /** Those that were heard of in the last hour. */
    list: async (): Promise<readonly Worker[]> => (await this.#get<WorkerList>('/v1/workers')).data,
    /** It finishes what it has and claims no more; `terminate`: it releases what it has and stops. */
    quiet: (id: string, options: { readonly terminate?: boolean } = {}): Promise<void> =>
      request(this.#connection, { method: 'PUT', path: `/v1/workers/${segment(id)}/quiet`, body: options }),
    wake: (id: string): Promise<void> =>
      request(this.#connection, { method: 'DELETE', path: `/v1/workers/${segment(id)}/quiet` }),
  };

  /** How far the feed to Kafka is, and what holds it up. */
  forwarder(): Promise<Forwarder> {
    return this.#get('/v1/forwarder');
  }

  /** One page of who did what, when and why, newest first. */
  audit(query: Partial<ListAuditQuery> = {}): Promise<AuditPage> {
    return this.#get('/v1/audit', query as Call['query']);
  }

  /** What the tenant of the key (or `tenant` of the connection) is held to, and what it uses. */
  async quota(): Promise<Quota> {
    const { tenant } = this.#connection;
    if (tenant !== undefined) return this.tenants.quota(tenant);
    const { data } = await this.tenants.list({ limit: 2 });
    const [only] = data;
    if (!only || data.length > 1)
      throw new RangeError('the key is for several tenants: say which in `tenant`');
    return this.tenants.quota(only.id);
  }

  stats(): Promise<Stats> {
    return this.#get('/v1/stats');
  }

  /** What happened, minute by minute or hour by hour. */
  timeseries(query: Partial<TimeseriesQuery> = {}): Promise<Timeseries> {
    return this.#get('/v1/stats/timeseries', query);
  }

  /** A page of the tenant's CloudEvents, oldest first; go on with `after` set to its position. */
  eventPage(query: Partial<ListEventsQuery> = {}): Promise<EventPage> {
    return this.#get('/v1/events', query as Call['query']);
  }

  /** The tenant's CloudEvents, live and for ever, from `after` or from now on; reconnects by itself. */
  events(filter: FeedFilter = {}): AsyncIterable<FeedEvent> {
    return eventStream(this.#connection, filter);
  }

  #get<Answer>(path: string, query?: Call['query']): Promise<Answer> {
    return request(this.#connection, { method: 'GET', path, query });
  }

  #post<Answer>(
    path: string,
    body: unknown,
    {
      idempotencyKey,
      signal,
    }: { idempotencyKey?: string | undefined; signal?: AbortSignal | undefined } = {},
  ): Promise<Answer> {
    const headers = { 'idempotency-key': idempotencyKey ?? crypto.randomUUID() };
    return request(this.#connection, { method: 'POST', path, body, headers, signal });
  }
}

async function* pages<Row>(
  page: (cursor: string | undefined) => Promise<{ data: Row[]; nextCursor: string | null }>,
): AsyncIterable<Row> {
  let cursor: string | undefined;
  do {
    const { data, nextCursor } = await page(cursor);
    yield* data;
    cursor = nextCursor ?? undefined;
  } while (cursor);
}

/** An id from elsewhere must not lead to another address. */
const segment = (text: string): string => encodeURIComponent(text);
