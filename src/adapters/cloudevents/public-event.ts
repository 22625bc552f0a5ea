import type { DecodedEvent } from '../../commands/decoded-event.ts';
import { unreachable } from '../../domain/decider.ts';
import type { JobEvent, JobIdentity } from '../../domain/job/events.ts';
import type { JsonText } from '../../domain/json-text.ts';
import type { PublicEventData, PublicEventType } from './event-schemas.ts';
import { publicQuotaEvent } from './public-quota-event.ts';

/** What a public event says beyond who and when. `content` goes out as it came in. */
export interface PublicEvent {
  readonly type: PublicEventType;
  /** Of the job that it is about; absent: it is about its tenant. */
  readonly identity?: JobIdentity | undefined;
  readonly status?: string | undefined;
  /** More members of the CloudEvent's data; undefined ones are left out. */
  readonly details: Readonly<Record<string, unknown>>;
  readonly content?: { readonly field: 'payload' | 'result'; readonly text: JsonText } | undefined;
}

/** The public face of an event; undefined for events that stay inside. */
export function publicEvent(decoded: DecodedEvent): PublicEvent | undefined {
  switch (decoded.aggregate) {
    case 'job':
      return publicJobEvent(decoded);
    case 'tenant_quota':
      return publicQuotaEvent(decoded.event);
    case 'queue':
    case 'api_key':
    case 'action':
      return undefined;
    default:
      return unreachable(decoded);
  }
}

/**
 * `status` is the job's after the event, and
 * `failed` for a failed attempt, whatever becomes of the job then. Never holds the lease's secret.
 */
function publicJobEvent({ event, metadata }: Extract<DecodedEvent, { aggregate: 'job' }>) {
  const now = metadata.occurredAt;
  switch (event.type) {
    case 'JobEnqueued': {
      const { runAt, payload } = event.data;
      const status = waiting(runAt, now, 'scheduled');
      return say('eventzr.jobs.enqueued.v1', event, status, { runAt: timeOf(runAt) }, { payload });
    }
    case 'JobStarted':
      return say('eventzr.jobs.started.v1', event, 'running', pick(event.data, 'attempt', 'workerId'));
    case 'JobCompleted': {
      const { attempt, result } = event.data;
      return say('eventzr.jobs.completed.v1', event, 'completed', { attempt }, { result });
    }
    case 'JobFailed':
      return say(
        'eventzr.jobs.failed.v1',
        event,
        'failed',
        pick(event.data, 'attempt', 'error', 'willRetry'),
      );
    case 'JobRetried': {
      const { runAt, payload } = event.data;
      const facts = { ...pick(event.data, 'attempt', 'by', 'reason'), runAt: time(runAt) };
      return say('eventzr.jobs.retried.v1', event, waiting(runAt, now, 'retrying'), facts, { payload });
    }
    case 'JobCancelled':
      return say('eventzr.jobs.cancelled.v1', event, 'cancelled', pick(event.data, 'reason', 'forced'));
    case 'JobDeadLettered': {
      const facts = pick(event.data, 'attempt', 'reason', 'error');
      return say('eventzr.jobs.deadlettered.v1', event, 'dead_lettered', facts);
    }
    case 'DeadLetterReplayed': {
      const { runAt, reason, payload } = event.data;
      const status = waiting(runAt, now, 'scheduled');
      const facts = { reason, runAt: timeOf(runAt) };
      return say('eventzr.jobs.dlq.replayed.v1', event, status, facts, { payload });
    }
    case 'DeadLetterPurged':
      return say('eventzr.jobs.dlq.purged.v1', event, 'purged', pick(event.data, 'reason'));
    case 'JobCancelRequested':
    case 'JobReleased':
    case 'LeaseExpired':
    case 'JobAmended':
    case 'JobVoided':
      return undefined;
    default:
      return unreachable(event);
  }
}

type JobEventType = Exclude<PublicEventType, `eventzr.jobs.quota.${string}`>;

/** What a type's schema promises beyond the job itself, its status and the caller's JSON; nothing else may be said. */
type Facts<Type extends JobEventType> = Omit<
  PublicEventData<Type>,
  'tenantId' | 'jobId' | keyof JobIdentity | 'status' | ContentField
>;
type ContentField = 'payload' | 'result';
type Content<Type extends JobEventType> = Readonly<
  Record<Extract<ContentField, keyof PublicEventData<Type>>, JsonText | undefined>
>;
type Only<Known, Given> = Given & Readonly<Record<Exclude<keyof Given, keyof Known>, never>>;

function say<Type extends JobEventType, Given extends Facts<Type>>(
  publicType: Type,
  event: Extract<JobEvent, { readonly data: JobIdentity }>,
  status: PublicEventData<Type>['status'],
  details: Only<Facts<Type>, Given>,
  content?: Content<Type>,
): PublicEvent {
  const { type, queue, priority } = event.data;
  return { type: publicType, identity: { type, queue, priority }, status, details, content: only(content) };
}

function only(content: Partial<Record<ContentField, JsonText>> | undefined): PublicEvent['content'] {
  if (content?.payload !== undefined) return { field: 'payload', text: content.payload };
  if (content?.result !== undefined) return { field: 'result', text: content.result };
  return undefined;
}

const waiting = <Ahead extends 'scheduled' | 'retrying'>(
  runAt: number | undefined,
  now: number,
  ahead: Ahead,
): Ahead | 'queued' => (runAt !== undefined && runAt > now ? ahead : 'queued');

const time = (at: number): string => new Date(at).toISOString();

const timeOf = (at: number | undefined): string | undefined => (at === undefined ? undefined : time(at));

function pick<Data extends object, Key extends keyof Data>(
  data: Data,
  ...keys: readonly Key[]
): Pick<Data, Key> {
  const picked: Partial<Pick<Data, Key>> = {};
  for (const key of keys) picked[key] = data[key];
  return picked as Pick<Data, Key>;
}
