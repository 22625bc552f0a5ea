import type { JsonText } from '../json-text.ts';
import type { JobEnqueued, JobError } from './events.ts';

interface At {
  /** Now, in milliseconds since 1970. */
  readonly at: number;
}

/** What a worker shows to act on an attempt. */
interface Held {
  readonly leaseId: string;
}

export type JobCommand =
  | ({ readonly type: 'EnqueueJob'; readonly job: JobEnqueued['data'] } & At)
  | ({
      readonly type: 'StartJob';
      readonly workerId: string;
      readonly leaseId: string;
      readonly leaseMs: number;
    } & At)
  | ({ readonly type: 'CompleteJob'; readonly result?: JsonText | undefined } & Held & At)
  | ({
      readonly type: 'FailJob';
      readonly error: JobError;
      /** The worker says that no retry can help. */
      readonly fatal: boolean;
      /** The worker says when; wins over the policy. */
      readonly retryAfterMs?: number | undefined;
      /** 0 ≤ jitter < 1, drawn by the caller. */
      readonly jitter: number;
    } & Held &
      At)
  | ({ readonly type: 'ReleaseJob'; readonly reason: string; readonly runAt?: number | undefined } & Held &
      At)
  | ({ readonly type: 'AcknowledgeCancel' } & Held & At)
  | ({ readonly type: 'ExpireLease'; readonly leaseId: string; readonly jitter: number } & At)
  | ({ readonly type: 'TimeOutAttempt'; readonly leaseId: string; readonly jitter: number } & At)
  | ({ readonly type: 'ExpireDeadline' } & At)
  | ({ readonly type: 'CancelJob'; readonly reason?: string | undefined; readonly graceMs: number } & At)
  | ({ readonly type: 'ForceCancel' } & At)
  | ({
      readonly type: 'RetryJob';
      readonly runAt?: number | undefined;
      readonly payload?: JsonText | undefined;
      readonly resetAttempts: boolean;
      readonly reason?: string | undefined;
    } & At)
  | ({
      readonly type: 'AmendJob';
      readonly priority?: number | undefined;
      readonly runAt?: number | undefined;
      readonly payload?: JsonText | undefined;
      readonly tags?: readonly string[] | undefined;
      readonly reason?: string | undefined;
    } & At)
  | ({
      readonly type: 'ReplayDeadLetter';
      readonly runAt?: number | undefined;
      readonly payload?: JsonText | undefined;
      readonly queue?: string | undefined;
      readonly reason?: string | undefined;
    } & At)
  | ({ readonly type: 'PurgeDeadLetter'; readonly reason: string } & At)
  | ({ readonly type: 'VoidJob'; readonly reason: string } & At);

export type JobCommandOf<Type extends JobCommand['type']> = Extract<JobCommand, { readonly type: Type }>;

/** Why a command on a job was refused. */
export type JobRejection =
  /** No such job. */
  | 'job_not_found'
  /** Another job has this id, or it was fenced off. */
  | 'job_exists'
  /** Completed, cancelled or purged: nothing more can happen. */
  | 'job_finished'
  /** The worker has it: cancel it or wait. */
  | 'job_running'
  /** Its time has not come. */
  | 'job_not_due'
  /** It is waiting; there is nothing to retry. */
  | 'job_waiting'
  /** The attempt is over or belongs to somebody else. */
  | 'lease_lost'
  /** Only dead letters can be replayed or purged. */
  | 'not_dead_lettered'
  /** A dead letter is changed by replaying it. */
  | 'job_dead_lettered'
  /** Not asked to cancel. */
  | 'cancel_not_requested';
