import { Command } from 'commander';
import type { EnqueueJobRequest } from '../../adapters/http/contract/jobs.ts';
import { usageError } from '../cli-error.ts';
import { enqueueFile } from '../enqueue-file.ts';
import { withExample } from '../example.ts';
import { statusText } from '../format.ts';
import { sessionOf } from '../session.ts';
import { duration, json, jsonFile, retryPolicy, several, time, wholeNumber } from '../values.ts';

type Options = Omit<EnqueueJobRequest, 'type' | 'payload' | 'tags' | 'timeoutMs' | 'deadlineAt'> & {
  readonly timeout?: number;
  readonly deadline?: string;
  readonly payloadFile?: unknown;
  readonly tag?: string[];
  readonly idempotencyKey?: string;
  readonly file?: string;
};

export function enqueueCommand(): Command {
  const command = new Command('enqueue')
    .description('Enqueue a job, or every line of a file')
    .argument('[type]', 'what kind of job it is: email.send')
    .argument('[payload]', 'JSON text for the worker', json)
    .option('--payload-file <file>', 'read the payload from a file; - is standard input', jsonFile)
    .option('--queue <name>', 'lane to wait in; standard: default')
    .option('--priority <1-9>', '1 is taken first; standard: 5', wholeNumber(1, 9))
    .option('--run-at <time>', 'not before: a time, or 10m from now', time)
    .option('--max-attempts <n>', 'standard: 3', wholeNumber(1, 1_000))
    .option('--retry <policy>', 'standard, none, exponential, fixed:30s or steps:1s,10s,1m', retryPolicy)
    .option('--timeout <time>', 'longest time one attempt may take: 30s', duration)
    .option('--deadline <time>', 'a dead letter when it is not finished by then', time)
    .option('--dedupe-key <key>', 'while an unfinished job has this key, that job answers')
    .option('--tag <tag>', 'may be given several times', several)
    .option('--idempotency-key <key>', 'repeating it within a day answers the first job')
    .option('--file <file>', 'enqueue every line: {"type":…,"payload":…,…}; - is standard input')
    .action(async (type: string | undefined, payload: unknown, options: Options, self: Command) => {
      const session = sessionOf(self);
      const { out, client } = session;
      const { payloadFile, tag, idempotencyKey, file, ...rest } = options;
      if (file !== undefined) {
        if (type !== undefined) throw usageError('give a type or --file, not both');
        return enqueueFile(session, file);
      }
      if (type === undefined) throw usageError('what kind of job? enqueue TYPE [PAYLOAD], or --file FILE');
      if (payload !== undefined && payloadFile !== undefined) {
        throw usageError('give a payload or --payload-file, not both');
      }
      const job = await client.enqueue(type, payloadFile ?? payload, {
        ...jobOptions(rest),
        ...(tag && { tags: tag }),
        ...(idempotencyKey !== undefined && { idempotencyKey }),
      });
      const note = job.deduplicated ? '  (an unfinished job with this key was there already)' : '';
      await out.result(job, () => `${job.id}  ${statusText(out, job.status)}${note}`);
    });
  return withExample(command, `enqueue email.send '{"to":"ada@example.com"}' --priority 2 --run-at 10m`);
}

/** Global options travel with those of the command. */
function jobOptions({ timeout, deadline, ...options }: Options) {
  const { queue, priority, runAt, maxAttempts, retry, dedupeKey } = options;
  const times = { runAt, timeoutMs: timeout, deadlineAt: deadline };
  const all = { queue, priority, maxAttempts, retry, dedupeKey, ...times };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}
