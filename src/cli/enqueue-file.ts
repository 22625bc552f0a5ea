import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import type { EnqueueJobRequest } from '../adapters/http/contract/jobs.ts';
import { CliError, usageError } from './cli-error.ts';
import { numberText } from './format.ts';
import { parseLossless } from './lossless-json.ts';
import type { Session } from './session.ts';

/** Within the service's limits for one request. */
const MOST_JOBS = 1_000;
const MOST_CHARACTERS = 2_000_000;
const SHOWN_REFUSALS = 20;

interface Batch {
  readonly jobs: readonly EnqueueJobRequest[];
  /** Where each of them stands in the file. */
  readonly lines: readonly number[];
}

/** Enqueues a file of jobs, one JSON object to a line, in as few requests as possible. */
export async function enqueueFile({ client, out }: Session, file: string): Promise<void> {
  const counts = { created: 0, deduplicated: 0, rejected: 0 };
  for await (const { jobs, lines } of batchesOf(file)) {
    const { results, counts: some } = await client.enqueueBulk(jobs as never);
    results.forEach((result, index) => {
      if (result.status !== 'rejected') return;
      if (counts.rejected < SHOWN_REFUSALS) out.note(`line ${lines[index]}: ${result.problem.detail}`);
      counts.rejected += 1;
    });
    counts.created += some.created;
    counts.deduplicated += some.deduplicated;
  }
  await out.result(
    counts,
    () =>
      `${numberText(counts.created)} enqueued, ${numberText(counts.deduplicated)} there already, ${numberText(counts.rejected)} refused`,
  );
  if (counts.rejected > 0) throw new CliError(`${numberText(counts.rejected)} jobs were refused`);
}

async function* batchesOf(file: string): AsyncIterable<Batch> {
  let jobs: EnqueueJobRequest[] = [];
  let lines: number[] = [];
  let characters = 0;
  let number = 0;
  for await (const line of linesOf(file)) {
    number += 1;
    if (line.trim() === '') continue;
    if (jobs.length > 0 && (jobs.length >= MOST_JOBS || characters + line.length > MOST_CHARACTERS)) {
      yield { jobs, lines };
      jobs = [];
      lines = [];
      characters = 0;
    }
    jobs.push(jobOf(line, number));
    lines.push(number);
    characters += line.length;
  }
  if (jobs.length > 0) yield { jobs, lines };
}

async function* linesOf(file: string): AsyncIterable<string> {
  const input = file === '-' ? process.stdin : createReadStream(file);
  try {
    yield* createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY });
  } catch (error) {
    throw usageError(`${file} can't be read: ${(error as Error).message}`);
  }
}

function jobOf(line: string, number: number): EnqueueJobRequest {
  try {
    return parseLossless(line) as EnqueueJobRequest;
  } catch (error) {
    throw usageError(`line ${number} is no JSON: ${(error as Error).message}`);
  }
}
