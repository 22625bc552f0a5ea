import { setTimeout as pause } from 'node:timers/promises';
import type pg from 'pg';
import {
  type AppendOutcome,
  type AppendRequest,
  type Clock,
  LogUnavailableError,
  type StoredEvent,
} from '../../commands/ports.ts';
import { type Logger, type Metrics, noLogger, noMetrics } from '../../commands/telemetry.ts';
import type { WriterAnswer } from '../event-log/append-coalescer.ts';
import { callAppend, type WriteResult } from './append-call.ts';
import { type EarlierAppend, findEarlierAppends } from './append-repeat.ts';
import { isTransient, isUniqueViolation } from './sql-errors.ts';

export interface AppendWriterOptions {
  readonly pool: pg.Pool;
  /** Stamps the events; absent: the database server's clock. */
  readonly clock?: Clock | undefined;
  readonly logger?: Logger | undefined;
  readonly metrics?: Metrics | undefined;
  /** Told after each commit; `stored` makes the events that were written, as a reader will see them. */
  readonly onWritten?: ((stored: () => readonly StoredEvent[]) => void) | undefined;
  /** How long one round trip may take; default 5 s. */
  readonly callTimeoutMs?: number | undefined;
  /** How long an append may stay unsettled before its callers get LogUnavailableError; default 8 s. */
  readonly settleTimeoutMs?: number | undefined;
}

const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 1_000;
/** Lost races before a call is cut in two, so that one contended stream does not hold up the others. */
const RACES_BEFORE_SPLIT = 3;

/**
 * Sees an append through to a settled outcome. A call whose answer was lost is simply made again: whichever of the two
 * reaches the unique index first wins, and the other one recognises the events as its own.
 */
export class AppendWriter {
  readonly #options: AppendWriterOptions;
  readonly #logger: Logger;
  readonly #metrics: Metrics;

  constructor(options: AppendWriterOptions) {
    this.#options = options;
    this.#logger = options.logger ?? noLogger;
    this.#metrics = options.metrics ?? noMetrics;
  }

  /** One answer a request, in their order. No stream may come twice. Never rejects. */
  async write(requests: readonly AppendRequest[]): Promise<readonly WriterAnswer[]> {
    const deadline = performance.now() + (this.#options.settleTimeoutMs ?? 8_000);
    try {
      return await this.#writeUntil(deadline, requests);
    } catch (error) {
      const reason = error instanceof Error ? error : new Error(String(error));
      return requests.map(() => reason);
    }
  }

  async #writeUntil(deadline: number, requests: readonly AppendRequest[]): Promise<readonly WriterAnswer[]> {
    let pauseMs = FIRST_PAUSE_MS;
    let races = 0;
    for (;;) {
      try {
        return await this.#attempt(deadline, requests);
      } catch (error) {
        if (performance.now() >= deadline) throw unavailable(error);
        if (isUniqueViolation(error) && races < RACES_BEFORE_SPLIT) {
          races += 1;
          this.#metrics.count('event_log_append_races');
        } else if (isUniqueViolation(error) || !isTransient(error)) {
          if (requests.length === 1) throw isUniqueViolation(error) ? unavailable(error) : error;
          return await this.#writeHalves(deadline, requests);
        } else {
          this.#metrics.count('event_log_append_retries');
          this.#logger.warn({ err: error, streams: requests.length }, 'event_log.append_retried');
          await pause(Math.min(pauseMs, Math.max(deadline - performance.now(), 0)));
          pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
        }
      }
    }
  }

  async #attempt(deadline: number, requests: readonly AppendRequest[]): Promise<readonly WriterAnswer[]> {
    const { pool, callTimeoutMs = 5_000, clock } = this.#options;
    const timeoutMs = Math.max(Math.min(callTimeoutMs, deadline - performance.now()), 1);
    const { results, stored } = await callAppend(pool, requests, Math.ceil(timeoutMs), clock?.now());
    this.#options.onWritten?.(stored);
    if (results.every(({ kind }) => kind === 'written')) {
      return results.map((result, index) => outcomeOf(requests[index], result, undefined));
    }
    const earlier = await findEarlierAppends(
      pool,
      requests.filter((_, index) => results[index]?.kind === 'differs'),
    );
    return results.map((result, index) => outcomeOf(requests[index], result, earlier.get(requests[index])));
  }

  async #writeHalves(deadline: number, requests: readonly AppendRequest[]): Promise<readonly WriterAnswer[]> {
    const middle = requests.length >>> 1;
    const answers: WriterAnswer[] = [];
    for (const half of [requests.slice(0, middle), requests.slice(middle)]) {
      try {
        answers.push(...(await this.#writeUntil(deadline, half)));
      } catch (error) {
        const reason = error instanceof Error ? error : new Error(String(error));
        answers.push(...half.map(() => reason));
      }
    }
    return answers;
  }
}

function outcomeOf(
  request: AppendRequest | undefined,
  result: WriteResult,
  earlier: EarlierAppend | undefined,
): AppendOutcome {
  if (earlier) return { kind: 'appended', ...earlier };
  if (result.kind === 'differs') return { kind: 'conflict', actualRevision: result.actualRevision };
  const revision = (request?.expectedRevision ?? 0) + (request?.events.length ?? 0);
  return { kind: 'appended', revision, position: result.position };
}

const unavailable = (cause: unknown) =>
  new LogUnavailableError(
    'the event log did not answer in time; whether the events were written is not known',
    {
      cause,
    },
  );
