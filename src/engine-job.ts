import { InvalidJobError } from './commands/job-request.ts';
import type { EnqueueRequest } from './commands/use-cases.ts';
import { asJsonText } from './domain/json-text.ts';

/** A job as a program writes it: the payload is any value that JSON can hold. */
export type EngineJob = Omit<EnqueueRequest, 'payload'> & { readonly payload?: unknown };

/** Throws InvalidJobError for a payload without JSON, such as a function; the compiler takes it for any value. */
export function toEnqueueRequest(job: EngineJob, index: number): EnqueueRequest {
  const payload: unknown = JSON.stringify(job.payload ?? null);
  if (typeof payload !== 'string') throw new InvalidJobError(index, 'payload has no JSON');
  return { ...job, payload: asJsonText(payload) };
}
