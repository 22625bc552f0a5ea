import fc from 'fast-check';
import type { JobCommand } from '../../src/domain/job/commands.ts';
import type { JobEnqueued } from '../../src/domain/job/events.ts';
import type { RetryPolicy } from '../../src/domain/job/retry-policy.ts';
import { asJsonText, type JsonText } from '../../src/domain/json-text.ts';

/** Any text, the troublesome ones included: NUL, lone surrogates, prototype keys. */
export const text: fc.Arbitrary<string> = fc.oneof(
  { weight: 4, arbitrary: fc.string({ unit: 'binary', maxLength: 12 }) },
  { weight: 1, arbitrary: fc.constantFrom('__proto__', 'constructor', '\u0000', '\ud800', '"\\\n', '') },
);

export const json: fc.Arbitrary<JsonText> = fc
  .oneof(
    fc.json({ maxDepth: 2 }),
    fc.constantFrom('null', '1e400', '12345678901234567890', '{"b":1,"a":1.0}'),
  )
  .map(asJsonText);

const ms = fc.nat({ max: 5000 });
const jitter = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
/** Few enough that commands often meet the right lease, or the one before it. */
const leaseId = fc.constantFrom('L1', 'L2', 'L3');

const retry: fc.Arbitrary<RetryPolicy> = fc.oneof(
  fc.record({
    kind: fc.constant('exponential' as const),
    baseMs: ms,
    factor: fc.constantFrom(1, 2, 10),
    maxMs: ms,
  }),
  fc.record({ kind: fc.constant('fixed' as const), delayMs: ms }),
  fc.record({ kind: fc.constant('steps' as const), stepsMs: fc.array(ms, { maxLength: 4 }) }),
  fc.constant({ kind: 'none' as const }),
);

const error = fc.record({ type: text, message: text, stack: optional(text), fingerprint: text });

export const jobData: fc.Arbitrary<JobEnqueued['data']> = fc.record({
  type: text,
  queue: text,
  priority: fc.integer({ min: 1, max: 9 }),
  payload: json,
  runAt: optional(ms),
  maxAttempts: fc.integer({ min: 1, max: 4 }),
  retry,
  timeoutMs: optional(ms),
  deadlineAt: optional(fc.nat({ max: 50_000 })),
  dedupeKey: optional(text),
  tags: fc.array(text, { maxLength: 2 }),
});

type WithoutTime = JobCommand extends infer Command
  ? Command extends unknown
    ? Omit<Command, 'at'>
    : never
  : never;

const command: fc.Arbitrary<WithoutTime> = fc.oneof(
  fc.record({ type: fc.constant('EnqueueJob' as const), job: jobData }),
  {
    weight: 5,
    arbitrary: fc.record({ type: fc.constant('StartJob' as const), workerId: text, leaseId, leaseMs: ms }),
  },
  fc.record({ type: fc.constant('CompleteJob' as const), leaseId, result: optional(json) }),
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constant('FailJob' as const),
      leaseId,
      error,
      fatal: fc.boolean(),
      retryAfterMs: optional(ms),
      jitter,
    }),
  },
  fc.record({ type: fc.constant('ReleaseJob' as const), leaseId, reason: text, runAt: optional(ms) }),
  fc.record({ type: fc.constant('AcknowledgeCancel' as const), leaseId }),
  fc.record({ type: fc.constant('ExpireLease' as const), leaseId, jitter }),
  fc.record({ type: fc.constant('TimeOutAttempt' as const), leaseId, jitter }),
  fc.constant({ type: 'ExpireDeadline' as const }),
  fc.record({ type: fc.constant('CancelJob' as const), reason: optional(text), graceMs: ms }),
  fc.constant({ type: 'ForceCancel' as const }),
  fc.record({
    type: fc.constant('RetryJob' as const),
    runAt: optional(ms),
    payload: optional(json),
    resetAttempts: fc.boolean(),
    reason: optional(text),
  }),
  fc.record({
    type: fc.constant('AmendJob' as const),
    priority: optional(fc.integer({ min: 1, max: 9 })),
    runAt: optional(ms),
    payload: optional(json),
    tags: optional(fc.array(text, { maxLength: 2 })),
  }),
  fc.record({
    type: fc.constant('ReplayDeadLetter' as const),
    runAt: optional(ms),
    payload: optional(json),
    queue: optional(text),
    reason: optional(text),
  }),
  fc.record({ type: fc.constant('PurgeDeadLetter' as const), reason: text }),
  fc.record({ type: fc.constant('VoidJob' as const), reason: text }),
);

/** The life of one job: an enqueue, nearly always, and whatever anybody asks of it afterwards, as time goes on. */
export const lives: fc.Arbitrary<readonly JobCommand[]> = fc
  .tuple(
    fc.option(jobData, { freq: 20 }),
    fc.array(fc.tuple(fc.oneof(fc.constant(0), ms), command), { maxLength: 40, size: 'max' }),
  )
  .map(([job, steps]) => {
    let at = 1000;
    const later = steps.map(([passed, step]): JobCommand => {
      at += passed;
      return { ...step, at };
    });
    return job ? [{ type: 'EnqueueJob', job, at: 1000 }, ...later] : later;
  });

function optional<T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> {
  return fc.option(arbitrary, { nil: undefined, freq: 2 });
}
