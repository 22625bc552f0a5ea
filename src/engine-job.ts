import { InvalidJobError } from './commands/job-request.ts';
import type { EnqueueRequest } from './commands/use-cases.ts';
import { asJsonText } from './domain/json-text.ts';

/** A job as a program writes it: the payload is any value that JSON can hold. */
export type EngineJob = Omit<EnqueueRequest, 'payload'> & { readonly payload?: unknown };

const TEXTS = ['jobId', 'type', 'queue'] as const;

/**
 * Throws InvalidJobError for what the compiler does not see, as rows of a database are `any`: an event without a text for
 * its type would hold up every read model.
 */
export function toEnqueueRequest(job: EngineJob, index: number): EnqueueRequest {
  for (const name of TEXTS) {
    const value: unknown = job[name];
    if (typeof value !== 'string' && !(value === undefined && name !== 'type'))
      throw new InvalidJobError(index, `${name} must be a text`);
  }
  const payload: unknown = JSON.stringify(job.payload ?? null);
  if (typeof payload !== 'string') throw new InvalidJobError(index, 'payload has no JSON');
  return { ...job, payload: asJsonText(payload) };
}
