import { z } from 'zod';
import type { TenantQuotaEvent } from '../domain/tenant-quota/events.ts';
import { LIMIT_NAMES } from '../domain/tenant-quota/limits.ts';
import { type EventDefinitions, eventCodec } from './event-codec.ts';

const count = z.number();
const time = z.number();
const reason = z.string();
const limit = z.number().nullable();

const terms = z.object({
  plan: z.string().optional(),
  limits: z.object({
    jobsPerDay: limit,
    unfinishedJobs: limit,
    runningJobs: limit,
    enqueuesPerSecond: limit,
    enqueueBurst: limit,
    payloadBytes: limit,
  }),
  onExceed: z.enum(['reject', 'delay']),
  weight: z.number(),
});

const limitName = z.enum(LIMIT_NAMES);

const mode = z.enum(['claims', 'all']);

/** In every event; a field that is added must be optional here as well. */
const after = z.object({
  terms,
  unfinished: count,
  day: z.number(),
  usedToday: count,
  usedAhead: count,
  settledThrough: z.string(),
  suspension: z.object({ mode, reason, since: time, until: time.optional() }).optional(),
  exceededAt: z.partialRecord(limitName, time),
});

/** Data of every event of a tenant's quota as stored; the rules for changes are those of the job events. */
export const tenantQuotaEventDefinitions: EventDefinitions<TenantQuotaEvent> = {
  QuotaInitialized: {
    schema: z.object({ terms, reason: reason.optional(), after }),
  },
  QuotaLimitsChanged: {
    schema: z.object({ terms, reason: reason.optional(), after }),
  },
  QuotaReserved: {
    schema: z.object({ reservationId: z.string(), jobIds: z.array(z.string()), ahead: count, after }),
  },
  QuotaReleased: {
    schema: z.object({
      through: z.string(),
      released: count,
      adopted: count,
      revived: count,
      duplicates: z.array(z.object({ reservationId: z.string(), jobId: z.string() })),
      after,
    }),
  },
  QuotaExceeded: {
    schema: z.object({
      limit: limitName,
      value: z.number(),
      used: count,
      refused: count,
      resetAt: time.optional(),
      after,
    }),
  },
  QuotaReset: {
    schema: z.object({ by: z.enum(['day', 'person']), used: count, reason: reason.optional(), after }),
  },
  TenantSuspended: {
    schema: z.object({ mode, reason, until: time.optional(), after }),
  },
  TenantResumed: {
    schema: z.object({ reason: reason.optional(), after }),
  },
};

export const tenantQuotaCodec = eventCodec<TenantQuotaEvent>(tenantQuotaEventDefinitions);
