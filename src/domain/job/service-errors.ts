import type { JobError } from './events.ts';
import { errorFingerprint } from './fingerprint.ts';

/** Errors that the service itself reports for an attempt, when no worker did. */
const serviceError = (type: string, message: string): JobError => ({
  type,
  message,
  fingerprint: errorFingerprint({ type, message }),
});

export const LEASE_EXPIRED = serviceError('LeaseExpired', 'the worker stopped renewing its lease');
export const ATTEMPT_TIMED_OUT = serviceError('AttemptTimedOut', 'the attempt took longer than its timeout');
export const DEADLINE_PASSED = serviceError('DeadlinePassed', 'the job was not finished by its deadline');
