import { CloudEvent } from 'cloudevents';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { eventId } from '../../src/adapters/cloudevents/event-id.ts';
import { toCloudEvent } from '../../src/adapters/cloudevents/to-cloud-event.ts';
import type { DecodedEvent } from '../../src/commands/decoded-event.ts';
import type { JobEvent } from '../../src/domain/job/events.ts';
import { asJsonText } from '../../src/domain/json-text.ts';
import type { TenantQuotaEvent } from '../../src/domain/tenant-quota/events.ts';
import { QUOTA_EVENTS, quotaExceeded, quotaReset } from '../support/public-quota-events.ts';

const identity = { type: 'email.send', queue: 'default', priority: 5 };
const error = { type: 'E', message: 'no', fingerprint: 'f' };
const NOW = Date.UTC(2026, 10, 21, 9, 30);

const decoded = (event: JobEvent, revision = 7): DecodedEvent => ({
  aggregate: 'job',
  tenantId: 'acme',
  jobId: 'j1',
  event,
  stream: 'job-acme.j1',
  revision,
  position: 42n,
  recordedAt: NOW + 5,
  metadata: {
    tenantId: 'acme',
    actor: { id: 'k', auth: 'api_key' },
    correlationId: 'c1',
    causationId: 'k1',
    occurredAt: NOW,
  },
});

const enqueued = (payload: string, runAt?: number): JobEvent => ({
  type: 'JobEnqueued',
  data: {
    ...identity,
    payload: asJsonText(payload),
    runAt,
    maxAttempts: 3,
    retry: { kind: 'none' },
    tags: [],
  },
});

const PUBLIC: readonly (readonly [JobEvent, string, string])[] = [
  [enqueued('{}'), 'eventzr.jobs.enqueued.v1', 'queued'],
  [enqueued('{}', NOW + 1), 'eventzr.jobs.enqueued.v1', 'scheduled'],
  [
    { type: 'JobStarted', data: { ...identity, attempt: 1, workerId: 'w', leaseId: 'SECRET', leaseMs: 1 } },
    'eventzr.jobs.started.v1',
    'running',
  ],
  [{ type: 'JobCompleted', data: { ...identity, attempt: 1 } }, 'eventzr.jobs.completed.v1', 'completed'],
  [
    { type: 'JobFailed', data: { ...identity, attempt: 1, error, willRetry: true } },
    'eventzr.jobs.failed.v1',
    'failed',
  ],
  [
    { type: 'JobRetried', data: { ...identity, attempt: 2, by: 'policy', runAt: NOW + 9, spentAttempts: 1 } },
    'eventzr.jobs.retried.v1',
    'retrying',
  ],
  [{ type: 'JobCancelled', data: { ...identity, forced: false } }, 'eventzr.jobs.cancelled.v1', 'cancelled'],
  [
    { type: 'JobDeadLettered', data: { ...identity, attempt: 3, reason: 'attempts_spent', error } },
    'eventzr.jobs.deadlettered.v1',
    'dead_lettered',
  ],
  [{ type: 'DeadLetterReplayed', data: { ...identity } }, 'eventzr.jobs.dlq.replayed.v1', 'queued'],
  [
    { type: 'DeadLetterPurged', data: { ...identity, reason: 'old' } },
    'eventzr.jobs.dlq.purged.v1',
    'purged',
  ],
];

const INTERNAL: readonly JobEvent[] = [
  { type: 'JobCancelRequested', data: { forceAt: NOW } },
  { type: 'JobReleased', data: { attempt: 1, reason: 'r' } },
  { type: 'LeaseExpired', data: { attempt: 1, workerId: 'w' } },
  { type: 'JobAmended', data: { priority: 1 } },
  { type: 'JobVoided', data: { reason: 'r' } },
];

const ofQuota = (event: TenantQuotaEvent): DecodedEvent => {
  const { stream: _, ...place } = decoded(enqueued('{}'));
  const { tenantId, revision, position, recordedAt, metadata } = place;
  const stream = 'quota-acme';
  return { aggregate: 'tenant_quota', stream, event, tenantId, revision, position, recordedAt, metadata };
};

describe('CloudEvents', () => {
  it.each(PUBLIC)('are valid: %j as %s, %s', (event, type, status) => {
    const json = toCloudEvent(decoded(event))?.json ?? '';
    // Throws when the SDK finds the event invalid.
    const cloudEvent = new CloudEvent<Record<string, unknown>>(JSON.parse(json), true);
    expect(cloudEvent).toMatchObject({
      specversion: '1.0',
      id: expect.stringMatching(/^evt-[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/),
      source: 'jobs-svc',
      type,
      subject: 'acme',
      partitionkey: 'acme',
      sequence: '0000000007',
      correlationid: 'c1',
      causationid: 'k1',
      time: '2026-11-21T09:30:00.000Z',
      recordedtime: '2026-11-21T09:30:00.005Z',
      datacontenttype: 'application/json',
    });
    expect(cloudEvent.data).toMatchObject({ tenantId: 'acme', jobId: 'j1', ...identity, status });
    expect(json).not.toContain('SECRET');
  });

  it.each(INTERNAL)('are not made of $type', (event) => {
    expect(toCloudEvent(decoded(event))).toBeUndefined();
  });

  it.each([
    [
      quotaExceeded({ resetAt: Date.UTC(2026, 10, 22) }),
      'eventzr.jobs.quota.exceeded.v1',
      { limit: 'jobsPerDay', value: 100, used: 100, refused: 3, resetAt: '2026-11-22T00:00:00.000Z' },
    ],
    [quotaReset(), 'eventzr.jobs.quota.reset.v1', { by: 'day', used: 100 }],
  ] as const)('about a tenant are valid, and hold nothing of a job: %j', (event, type, data) => {
    const sent = toCloudEvent(ofQuota(event));
    const cloudEvent = new CloudEvent<Record<string, unknown>>(JSON.parse(sent?.json ?? ''), true);
    expect(cloudEvent).toMatchObject({ type, subject: 'acme', partitionkey: 'acme', sequence: '0000000007' });
    expect(cloudEvent.data).toEqual({ tenantId: 'acme', ...data });
    expect(sent).toMatchObject({ tenantId: 'acme', jobId: undefined, queue: undefined });
  });

  it('are not made of what else happens to a quota', () => {
    const types = QUOTA_EVENTS.map((event) => toCloudEvent(ofQuota(event))?.type);
    expect(types.filter((type) => type !== undefined)).toEqual([
      'eventzr.jobs.quota.exceeded.v1',
      'eventzr.jobs.quota.reset.v1',
    ]);
  });

  it('carry payloads byte for byte', () => {
    const payload = '{ "n": 12345678901234567890, "x": 1.0 }';
    expect(toCloudEvent(decoded(enqueued(payload)))?.json).toContain(`"payload":${payload}}}`);
  });

  it('carry a traceparent only when there is one', () => {
    const event = decoded(enqueued('{}'));
    const traced = { ...event, metadata: { ...event.metadata, traceparent: '00-a-b-01' } };
    expect(JSON.parse(toCloudEvent(traced)?.json ?? '')).toHaveProperty('traceparent', '00-a-b-01');
    expect(JSON.parse(toCloudEvent(event)?.json ?? '')).not.toHaveProperty('traceparent');
  });

  it('have ids of their own that never change', () => {
    expect(eventId('job-acme.j1', 7)).toBe(eventId('job-acme.j1', 7));
    const place = fc.tuple(fc.stringMatching(/^[a-z]{1,8}$/), fc.nat(100_000));
    fc.assert(
      fc.property(
        place,
        place,
        (one, other) => one.join() === other.join() || eventId(...one) !== eventId(...other),
      ),
    );
  });
});
