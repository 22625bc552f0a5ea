import type { DecodedEvent } from '../../commands/decoded-event.ts';
import { unreachable } from '../../domain/decider.ts';
import type { JobEvent, JobIdentity } from '../../domain/job/events.ts';
import type { JsonText } from '../../domain/json-text.ts';

/** What a public event says beyond who and when. `content` goes out as it came in. */
export interface PublicEvent {
  readonly type: `eventzr.jobs.${string}.v1`;
  readonly identity: JobIdentity;
  readonly status: string;
  /** More members of the CloudEvent's data; undefined ones are left out. */
  readonly details: Readonly<Record<string, unknown>>;
  readonly content?: { readonly field: 'payload' | 'result'; readonly text: JsonText } | undefined;
}

/**
 * The public face of a job event; undefined for events that stay inside. `status` is the job's after the event, and
 * `failed` for a failed attempt, whatever becomes of the job then. Never holds the lease's secret.
 */
export function publicEvent(decoded: DecodedEvent): PublicEvent | undefined {
  if (decoded.aggregate !== 'job') return undefined;
  const { event } = decoded;
  const now = decoded.metadata.occurredAt;
  switch (event.type) {
    case 'JobEnqueued': {
      const { runAt, payload } = event.data;
      return say('enqueued', event, waiting(runAt, now, 'scheduled'), { runAt: time(runAt) }, payload);
    }
    case 'JobStarted':
      return say('started', event, 'running', pick(event.data, 'attempt', 'workerId'));
    case 'JobCompleted': {
      const { attempt, result } = event.data;
      const face = say('completed', event, 'completed', { attempt });
      return result === undefined ? face : { ...face, content: { field: 'result', text: result } };
    }
    case 'JobFailed':
      return say('failed', event, 'failed', pick(event.data, 'attempt', 'error', 'willRetry'));
    case 'JobRetried': {
      const { runAt, payload } = event.data;
      const details = { ...pick(event.data, 'attempt', 'by', 'reason'), runAt: time(runAt) };
      return say('retried', event, waiting(runAt, now, 'retrying'), details, payload);
    }
    case 'JobCancelled':
      return say('cancelled', event, 'cancelled', pick(event.data, 'reason', 'forced'));
    case 'JobDeadLettered':
      return say('deadlettered', event, 'dead_lettered', pick(event.data, 'attempt', 'reason', 'error'));
    case 'DeadLetterReplayed': {
      const { runAt, reason, payload } = event.data;
      return say(
        'dlq.replayed',
        event,
        waiting(runAt, now, 'scheduled'),
        { reason, runAt: time(runAt) },
        payload,
      );
    }
    case 'DeadLetterPurged':
      return say('dlq.purged', event, 'purged', pick(event.data, 'reason'));
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

function say(
  name: string,
  event: Extract<JobEvent, { readonly data: JobIdentity }>,
  status: string,
  details: Readonly<Record<string, unknown>>,
  payload?: JsonText,
): PublicEvent {
  const { type, queue, priority } = event.data;
  return {
    type: `eventzr.jobs.${name}.v1`,
    identity: { type, queue, priority },
    status,
    details,
    content: payload === undefined ? undefined : { field: 'payload', text: payload },
  };
}

const waiting = (runAt: number | undefined, now: number, ahead: string): string =>
  runAt !== undefined && runAt > now ? ahead : 'queued';

const time = (at: number | undefined): string | undefined =>
  at === undefined ? undefined : new Date(at).toISOString();

function pick<Data extends object, Key extends keyof Data>(
  data: Data,
  ...keys: readonly Key[]
): Pick<Data, Key> {
  const picked: Partial<Pick<Data, Key>> = {};
  for (const key of keys) picked[key] = data[key];
  return picked as Pick<Data, Key>;
}
