import { z } from 'zod';
import { job, jobStatus } from './jobs.ts';
import { problem } from './problem.ts';
import {
  anyJson,
  durationMs,
  jobId,
  jobType,
  leaseMs,
  MAX_BATCH,
  queueName,
  reason,
  time,
  workerId,
} from './values.ts';

const leaseToken = z.string().min(1).max(500).describe('From the claim; proves the right to this attempt.');
const waitMs = z.int().min(0).max(30_000);

/** POST /v1/claims: waits up to waitMs for a first job; 204 when there was none. */
export const claimRequest = z
  .strictObject({
    workerId,
    queues: z
      .array(z.union([z.literal('*'), queueName]))
      .min(1)
      .max(100)
      .optional()
      .describe('Absent: all.'),
    types: z.array(jobType).min(1).max(100).optional().describe('Absent: all.'),
    max: z.int().min(1).max(MAX_BATCH).optional().describe('Absent: 1.'),
    leaseMs: leaseMs.optional().describe('Absent: 30000.'),
    waitMs: waitMs.optional().describe('Absent: 0.'),
  })
  .meta({
    id: 'ClaimJobs',
    examples: [{ workerId: 'mailer-1', queues: ['default'], max: 10, waitMs: 20_000 }],
  });
export type ClaimRequest = z.input<typeof claimRequest>;

export const claim = z
  .object({ leaseToken: z.string(), attempt: z.int(), leaseExpiresAt: time, job })
  .meta({ id: 'Claim' });
export type Claim = z.infer<typeof claim>;

export const claimResponse = z.object({ claims: z.array(claim) }).meta({ id: 'Claims' });
export type ClaimResponse = z.infer<typeof claimResponse>;

/** POST /v1/claims/heartbeat: keeps the leases and brings back what the worker should do. */
export const heartbeatRequest = z
  .strictObject({
    workerId,
    leases: z.array(z.strictObject({ leaseToken })).max(MAX_BATCH),
    leaseMs: leaseMs.optional(),
  })
  .meta({
    id: 'Heartbeat',
    examples: [{ workerId: 'mailer-1', leases: [{ leaseToken: 'YWNtZS4wMTl…' }], leaseMs: 30_000 }],
  });
export type HeartbeatRequest = z.input<typeof heartbeatRequest>;

export const heartbeatLease = z.object({
  leaseToken: z.string(),
  jobId: z.string(),
  status: z.enum(['extended', 'lost', 'cancel_requested']),
  leaseExpiresAt: time.nullable(),
});

export const heartbeatResponse = z
  .object({
    /** `quiet`: finish what you have and claim no more. `terminate`: release what you have and stop. */
    directive: z.enum(['run', 'quiet', 'terminate']),
    leases: z.array(heartbeatLease),
  })
  .meta({ id: 'HeartbeatAnswer' });
export type HeartbeatResponse = z.infer<typeof heartbeatResponse>;

/** POST /v1/jobs/{id}/heartbeat */
export const heartbeatJobRequest = z
  .strictObject({ workerId, leaseToken, leaseMs: leaseMs.optional() })
  .meta({ id: 'HeartbeatJob', examples: [{ workerId: 'mailer-1', leaseToken: 'YWNtZS4wMTl…' }] });

export const workerError = z
  .strictObject({
    type: z.string().min(1).max(200),
    message: z.string().max(8_000),
    stack: z.string().max(32_000).optional(),
  })
  .meta({ id: 'WorkerError' });

const completed = { leaseToken, result: anyJson.optional().describe('At most 256 KiB.') };
const failed = {
  leaseToken,
  error: workerError,
  retry: z.enum(['auto', 'never']).optional().describe('`never`: no retry can help, dead-letter it now.'),
  retryAfterMs: durationMs.optional().describe('Wins over the retry policy.'),
};
const released = { leaseToken, reason: reason.optional(), runAt: time.optional() };

/** POST /v1/jobs/{id}/complete */
export const completeJobRequest = z
  .strictObject(completed)
  .meta({ id: 'CompleteJob', examples: [{ leaseToken: 'YWNtZS4wMTl…', result: { messageId: 'm-1' } }] });

/** POST /v1/jobs/{id}/fail */
export const failJobRequest = z.strictObject(failed).meta({
  id: 'FailJob',
  examples: [
    {
      leaseToken: 'YWNtZS4wMTl…',
      error: { type: 'SmtpError', message: 'mailbox full' },
      retryAfterMs: 60_000,
    },
  ],
});

/** POST /v1/jobs/{id}/release: gives the job back; the attempt is not spent. */
export const releaseJobRequest = z
  .strictObject(released)
  .meta({ id: 'ReleaseJob', examples: [{ leaseToken: 'YWNtZS4wMTl…', reason: 'shutting down' }] });

/** POST /v1/jobs/{id}/acknowledge-cancel */
export const acknowledgeCancelRequest = z
  .strictObject({ leaseToken })
  .meta({ id: 'AcknowledgeCancel', examples: [{ leaseToken: 'YWNtZS4wMTl…' }] });

/** POST /v1/claims/ack: outcomes of many attempts at once. */
export const acknowledgement = z
  .discriminatedUnion('outcome', [
    z.strictObject({ outcome: z.literal('completed'), ...completed }),
    z.strictObject({ outcome: z.literal('failed'), ...failed }),
    z.strictObject({ outcome: z.literal('released'), ...released }),
    z.strictObject({ outcome: z.literal('cancelled'), leaseToken }),
  ])
  .meta({ id: 'Acknowledgement' });
export type Acknowledgement = z.input<typeof acknowledgement>;

export const acknowledgeRequest = z
  .strictObject({ acknowledgements: z.array(acknowledgement).min(1).max(MAX_BATCH) })
  .meta({
    id: 'Acknowledge',
    examples: [
      {
        acknowledgements: [
          { outcome: 'completed', leaseToken: 'YWNtZS4wMTl…', result: { messageId: 'm-1' } },
          { outcome: 'released', leaseToken: 'YWNtZS4wMm…' },
        ],
      },
    ],
  });

/** What became of the job: answer of the single forms, and of each accepted item of the batch. */
export const acknowledged = z
  .object({
    jobId,
    status: jobStatus,
    runAt: time.nullable().describe('When it may run again, if it may.'),
    revision: z.int(),
  })
  .meta({ id: 'Acknowledged' });
export type Acknowledged = z.infer<typeof acknowledged>;

export const acknowledgeResponse = z
  .object({
    /** In the order of the request. */
    results: z.array(
      z.discriminatedUnion('kind', [
        acknowledged.extend({ kind: z.literal('acknowledged') }),
        z.object({ kind: z.literal('refused'), problem }),
      ]),
    ),
  })
  .meta({ id: 'AcknowledgeAnswer' });
export type AcknowledgeResponse = z.infer<typeof acknowledgeResponse>;
