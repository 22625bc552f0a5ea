import { z } from 'zod';
import type { QuotaTerms } from '../../domain/tenant-quota/limits.ts';

const MOST_JOBS = 1_000_000_000;
const limit = (most: number, least = 0) => z.int().min(least).max(most).nullable();

export const planName = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/,
    'must be a name: letters, digits and _.-, at most 64 characters',
  )
  .meta({ examples: ['pro'] });

/** What is left out is unlimited. */
const limits = z
  .strictObject({
    jobsPerDay: limit(MOST_JOBS).optional().describe('Jobs enqueued from one UTC midnight to the next.'),
    unfinishedJobs: limit(MOST_JOBS)
      .optional()
      .describe('Jobs that are neither completed, cancelled, dead-lettered nor purged.'),
    runningJobs: limit(1_000_000).optional().describe('Attempts at once; what is above it waits.'),
    enqueuesPerSecond: limit(1_000_000, 1).optional().describe('Jobs enqueued each second, in the long run.'),
    enqueueBurst: limit(1_000_000, 1)
      .optional()
      .describe('Jobs enqueued at once after a rest. Absent: one second’s worth.'),
    payloadBytes: limit(1_048_576, 1).optional().describe('UTF-8 bytes of one payload.'),
  })
  .refine(
    ({ enqueueBurst, enqueuesPerSecond }) =>
      typeof enqueueBurst !== 'number' || typeof enqueuesPerSecond === 'number',
    { error: 'needs enqueuesPerSecond', path: ['enqueueBurst'] },
  );

export const onExceed = z
  .enum(['reject', 'delay'])
  .describe('delay: what is above jobsPerDay or the rate is accepted for later, up to one more day’s worth.');
export const weight = z.int().min(1).max(100).describe('Turns in dispatch beside other tenants.');

/** Members of a document that says what a plan, or a tenant without one, is held to. Absent: no limits, reject, weight 1. */
export const termsRequest = {
  limits: limits.optional(),
  onExceed: onExceed.optional(),
  weight: weight.optional(),
};

/** One plan of PLANS_FILE. */
export const planDocument = z.strictObject(termsRequest);
export type TermsDocument = z.output<typeof planDocument>;

export const toTerms = ({
  limits: given = {},
  onExceed: exceed = 'reject',
  weight: turns = 1,
}: TermsDocument): PlanTerms => ({
  limits: {
    jobsPerDay: given.jobsPerDay ?? null,
    unfinishedJobs: given.unfinishedJobs ?? null,
    runningJobs: given.runningJobs ?? null,
    enqueuesPerSecond: given.enqueuesPerSecond ?? null,
    enqueueBurst: given.enqueueBurst ?? null,
    payloadBytes: given.payloadBytes ?? null,
  },
  onExceed: exceed,
  weight: turns,
});

/** The terms of a plan, without its name. */
export type PlanTerms = Omit<QuotaTerms, 'plan'>;
