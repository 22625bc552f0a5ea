import { z } from 'zod';
import type { JobEvent } from '../domain/job/events.ts';
import { type EventDefinitions, eventCodec } from './event-codec.ts';

const time = z.number();
const attempt = z.number();
const reason = z.string();

const identity = { type: z.string(), queue: z.string(), priority: z.number() };

const error = z.object({
  type: z.string(),
  message: z.string(),
  stack: z.string().optional(),
  fingerprint: z.string(),
});

const retry = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('exponential'), baseMs: z.number(), factor: z.number(), maxMs: z.number() }),
  z.object({ kind: z.literal('fixed'), delayMs: z.number() }),
  z.object({ kind: z.literal('steps'), stepsMs: z.array(z.number()) }),
  z.object({ kind: z.literal('none') }),
]);

/**
 * Data of every job event as stored. A field that is added must be optional; any other change is a new version, with the
 * schema as it was and its upcast under `older`.
 */
export const jobEventDefinitions: EventDefinitions<JobEvent> = {
  JobEnqueued: {
    schema: z.object({
      ...identity,
      runAt: time.optional(),
      maxAttempts: z.number(),
      retry,
      timeoutMs: z.number().optional(),
      deadlineAt: time.optional(),
      dedupeKey: z.string().optional(),
      tags: z.array(z.string()),
      reservationId: z.string().optional(),
    }),
    content: { field: 'payload', required: true },
  },
  JobStarted: {
    schema: z.object({
      ...identity,
      attempt,
      workerId: z.string(),
      leaseId: z.string(),
      leaseMs: z.number(),
    }),
  },
  JobCompleted: {
    schema: z.object({ ...identity, attempt }),
    content: { field: 'result', required: false },
  },
  JobFailed: {
    schema: z.object({
      ...identity,
      attempt,
      error,
      willRetry: z.boolean(),
      cause: z.enum(['timeout', 'deadline']).optional(),
    }),
  },
  JobRetried: {
    schema: z.object({
      ...identity,
      attempt,
      by: z.enum(['policy', 'person']),
      runAt: time,
      reason: reason.optional(),
      spentAttempts: z.number(),
      revives: z.literal(true).optional(),
    }),
    content: { field: 'payload', required: false },
  },
  JobReleased: {
    schema: z.object({ attempt, reason, runAt: time.optional() }),
  },
  LeaseExpired: {
    schema: z.object({ attempt, workerId: z.string() }),
  },
  JobCancelRequested: {
    schema: z.object({ reason: reason.optional(), forceAt: time }),
  },
  JobCancelled: {
    schema: z.object({ ...identity, reason: reason.optional(), forced: z.boolean() }),
  },
  JobDeadLettered: {
    schema: z.object({
      ...identity,
      attempt,
      reason: z.enum(['attempts_spent', 'fatal_error', 'deadline_passed']),
      error,
    }),
  },
  DeadLetterReplayed: {
    schema: z.object({ ...identity, runAt: time.optional(), reason: reason.optional() }),
    content: { field: 'payload', required: false },
  },
  DeadLetterPurged: {
    schema: z.object({ ...identity, reason }),
  },
  JobAmended: {
    schema: z.object({
      priority: z.number().optional(),
      runAt: time.optional(),
      tags: z.array(z.string()).optional(),
      reason: reason.optional(),
    }),
    content: { field: 'payload', required: false },
  },
  JobVoided: {
    schema: z.object({ reason }),
  },
};

export const jobCodec = eventCodec<JobEvent>(jobEventDefinitions);
