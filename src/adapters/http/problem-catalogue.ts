import { MOST_SUBSCRIPTIONS } from '../../commands/inbound/subscription-store.ts';
import type { RequestRejection } from '../../commands/use-cases.ts';
import type { JobRejection } from '../../domain/job/commands.ts';
import { JOB_PROBLEMS } from './job-problems.ts';

/** Codes are written with hyphens outside and with underscores inside: `job-finished` is `job_finished`. */
export type Slug<Code extends string> = Code extends `${infer Head}_${infer Tail}`
  ? `${Head}-${Slug<Tail>}`
  : Code;

export const slug = <Code extends string>(code: Code): Slug<Code> => code.replaceAll('_', '-') as Slug<Code>;

/** Problems that only exist at the HTTP edge. */
type EdgeCode =
  | 'malformed-json'
  | 'validation'
  | 'invalid-cursor'
  | 'tenant-required'
  | 'unauthenticated'
  | 'too-many-attempts'
  | 'payload-redacted'
  | 'key-ended'
  | 'forbidden'
  | 'not-found'
  | 'method-not-allowed'
  | 'not-acceptable'
  | 'idempotency-in-progress'
  | 'already-rebuilding'
  | 'subscription-taken'
  | 'too-many-subscriptions'
  | 'nothing-to-roll-back'
  | 'tenant-paused'
  | 'plan-not-found'
  | 'plan-taken'
  | 'plan-in-use'
  | 'nobody-forwards'
  | 'unsupported-media-type'
  | 'idempotency-key-reused'
  | 'too-many-requests'
  | 'internal'
  | 'contended'
  | 'dependency-unavailable'
  | 'identity-unavailable'
  | 'kafka-unavailable'
  | 'log-overloaded'
  | 'log-unavailable'
  | 'shutting-down'
  | 'projection-behind';

type Rejection = JobRejection | RequestRejection;

export type ProblemCode = EdgeCode | Slug<Exclude<Rejection, 'tenant_suspended'>>;

/** The problem that a use case's refusal is. */
export const problemOf = (reason: Rejection): ProblemCode =>
  // For callers it is what PUT …/pause did.
  reason === 'tenant_suspended' ? 'tenant-paused' : slug(reason);

export interface ProblemKind {
  readonly status: number;
  readonly title: string;
  /** What it means and what to do about it; shown at /problems/{code} and in docs/errors.md. */
  readonly meaning: string;
}

/** Every problem the API can answer with. The only place that knows which status code stands for what. */
export const PROBLEMS = {
  'malformed-json': {
    status: 400,
    title: 'Not JSON',
    meaning: 'The body is not JSON in UTF-8. `detail` says where it breaks off.',
  },
  validation: {
    status: 400,
    title: 'Invalid request',
    meaning:
      'Something in the body, the path, the query string or a header has the wrong form. `errors` names each place.',
  },
  'invalid-cursor': {
    status: 400,
    title: 'Unknown cursor',
    meaning: 'The cursor was not given out by this list with these filters. Start again without it.',
  },
  'tenant-required': {
    status: 400,
    title: 'Tenant not given',
    meaning:
      'The API key works for several tenants: say which one in the On-Behalf-Of header, or with ?tenant= on reads.',
  },
  unauthenticated: {
    status: 401,
    title: 'Not authenticated',
    meaning: 'Send `Authorization: Bearer <API key or token>`. It is missing, unknown, expired or revoked.',
  },
  forbidden: {
    status: 403,
    title: 'Not allowed',
    meaning: "The API key's role, or the tenants it is bound to, do not allow this.",
  },
  'payload-redacted': {
    status: 403,
    title: 'Payload not seen whole',
    meaning:
      'Parts of the payload are hidden from your role, so you would overwrite what you do not know. Leave the payload as it is, or ask somebody who sees it.',
  },
  'not-found': {
    status: 404,
    title: 'Not found',
    meaning: 'There is nothing at this address, or not for the tenant of the API key.',
  },
  ...JOB_PROBLEMS,
  'plan-not-found': {
    status: 404,
    title: 'No such plan',
    meaning: 'There is no plan of this name. GET /v1/plans lists those there are.',
  },
  'method-not-allowed': {
    status: 405,
    title: 'Method not allowed',
    meaning: 'The address exists, but not for this method. The Allow header lists those that work.',
  },
  'not-acceptable': {
    status: 406,
    title: 'Not acceptable',
    meaning: 'The Accept header rules out the only format there is.',
  },
  'idempotency-in-progress': {
    status: 409,
    title: 'Same request still running',
    meaning: 'A request with this Idempotency-Key has not finished yet. Repeat it after Retry-After.',
  },
  'already-rebuilding': {
    status: 409,
    title: 'Already rebuilding',
    meaning: 'A rebuild of this projection is running. Watch it at GET /v1/projections/{name}.',
  },
  'subscription-taken': {
    status: 409,
    title: 'Name taken',
    meaning:
      'The platform has a subscription of this name, or the file in SUBSCRIPTIONS_FILE has; for the platform: a tenant has one. Names of other tenants do not matter to a tenant. Choose another name.',
  },
  'too-many-subscriptions': {
    status: 409,
    title: 'Too many subscriptions',
    meaning: `The tenant has the ${MOST_SUBSCRIPTIONS} subscriptions that a tenant may have; nothing was changed. End one that is not needed with DELETE /v1/subscriptions/{name}, or change one with PUT: \`topic\` and \`types\` take wildcards, and \`types\` a list.`,
  },
  'nobody-forwards': {
    status: 409,
    title: 'Nobody forwards to Kafka',
    meaning:
      'No process sends events to Kafka. Start one with the role `forwarder` and `KAFKA_BROKERS`, then try again.',
  },
  'nothing-to-roll-back': {
    status: 409,
    title: 'Nothing to roll back to',
    meaning:
      'There are no earlier tables of this version; only those that the last rebuild replaced are kept.',
  },
  'tenant-paused': {
    status: 409,
    title: 'Tenant is paused',
    meaning:
      'The tenant is suspended and takes no jobs; nothing was enqueued. `suspension` says why and, if that is known, until when.',
  },
  'plan-taken': {
    status: 409,
    title: 'Plan is kept in a file',
    meaning: 'The plan is in the file in PLANS_FILE: change it there.',
  },
  'plan-in-use': {
    status: 409,
    title: 'Plan in use',
    meaning: 'Tenants are on the plan, or new tenants get it (DEFAULT_PLAN). Put them on another one first.',
  },
  contended: {
    status: 409,
    title: 'Others were faster',
    meaning:
      'Several writers kept changing the same job at once. Nothing was changed by this request; repeat it.',
  },
  'key-ended': {
    status: 409,
    title: 'Key has ended',
    meaning: 'The API key is revoked or expired: it can not be rotated. Make a new one.',
  },
  'revision-mismatch': {
    status: 412,
    title: 'Changed in the meantime',
    meaning: 'It is not at the revision given in If-Match. Read it again and decide anew.',
  },
  'batch-refused': {
    status: 422,
    title: 'Batch refused',
    meaning:
      'Nothing is wrong with this job, but another one of its atomic batch was refused. `errors` names it.',
  },
  'payload-too-large': {
    status: 413,
    title: 'Too large',
    meaning:
      'A payload or result may have 256 KiB, a body 1 MiB, a batch 4 MiB; `quota` names a lower limit of the tenant. Store big data elsewhere and send a link.',
  },
  'unsupported-media-type': {
    status: 415,
    title: 'Unsupported media type',
    meaning: 'Bodies must be sent as Content-Type: application/json in UTF-8, not compressed.',
  },
  'idempotency-key-reused': {
    status: 422,
    title: 'Idempotency-Key reused',
    meaning: 'The Idempotency-Key was used for a different request. Use a new key for every new request.',
  },
  'run-at-out-of-range': {
    status: 422,
    title: 'Time out of range',
    meaning:
      'runAt must be from the year 2000 on, at most ten years ahead, and before deadlineAt: a job can not start when it has to be finished.',
  },
  'batch-above-limit': {
    status: 422,
    title: 'Batch above a limit',
    meaning:
      'The atomic batch has more jobs than a limit of the tenant ever takes at once; nothing was enqueued. `quota` names the limit. Send smaller batches, or leave out `atomic`.',
  },
  'quota-exceeded': {
    status: 429,
    title: 'Quota exceeded',
    meaning:
      'The tenant is at one of its limits; nothing was enqueued. `quota` names the limit, its value, what is used of it and when it begins anew. Come back after Retry-After.',
  },
  'too-many-attempts': {
    status: 429,
    title: 'Too many wrong keys',
    meaning:
      'This key is missing from those we know, and your address has tried many such keys. Stay away for Retry-After; keys that work go on working.',
  },
  'too-many-requests': {
    status: 429,
    title: 'Too many at once',
    meaning:
      'Too many long polls, event streams or big bodies are under way. End some, or come back after Retry-After.',
  },
  internal: {
    status: 500,
    title: 'Internal error',
    meaning: 'A fault of the service. Report the requestId; a repeat with the same Idempotency-Key is safe.',
  },
  'dependency-unavailable': {
    status: 503,
    title: 'Database unavailable',
    meaning: 'The database does not answer. Repeat the request after Retry-After.',
  },
  'identity-unavailable': {
    status: 503,
    title: 'Identity provider unavailable',
    meaning:
      'Nobody can tell whether the token is good. Repeat the request after Retry-After; API keys work.',
  },
  'kafka-unavailable': {
    status: 503,
    title: 'Kafka unavailable',
    meaning: 'Kafka does not answer, and only Kafka knows. Repeat the request after Retry-After.',
  },
  'log-overloaded': {
    status: 503,
    title: 'Too much is waiting to be written',
    meaning: 'Nothing was changed. Come back after Retry-After.',
  },
  'log-unavailable': {
    status: 503,
    title: 'Event log unavailable',
    meaning:
      'It is unknown whether the change was written. Repeat the request with the same Idempotency-Key.',
  },
  'shutting-down': {
    status: 503,
    title: 'Shutting down',
    meaning: 'This process is stopping. Repeat the request; another one answers.',
  },
  'projection-behind': {
    status: 504,
    title: 'Read model is behind',
    meaning: 'The read model did not reach the Await-Position in time. Repeat the request.',
  },
} as const satisfies Record<ProblemCode, ProblemKind>;
