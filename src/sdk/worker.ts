import { Acknowledger } from './acknowledger.ts';
import { AttemptAbortedError } from './errors.ts';
import { type ConnectionOptions, pause } from './http.ts';
import { httpTransport } from './http-transport.ts';
import { keepLeases } from './keep-leases.ts';
import { outcomeOf, outcomeOfRefusedResult } from './outcome.ts';
import type { ClaimedJob, WorkerAcknowledgement, WorkerClaim, WorkerTransport } from './transport.ts';
import { WaitingJobs } from './waiting-jobs.ts';
import { type WorkerProblem, warnOfProblem } from './worker-problem.ts';

/** Payload and result of every job type that a program knows: `{ 'email.send': { payload: Email; result: void } }`. */
export type JobMap = Readonly<Record<string, { readonly payload: unknown; readonly result?: unknown }>>;

// biome-ignore lint/suspicious/noConfusingVoidType: a handler without a result returns nothing at all
type ResultOf<Entry> = Entry extends { readonly result: infer Result } ? Result : void;

export type Handlers<Jobs extends JobMap> = {
  readonly [Type in keyof Jobs]: (
    job: ClaimedJob<Jobs[Type]['payload']>,
    attempt: {
      /** Aborted when the job is cancelled, the lease is lost, or the worker is made to stop. */
      readonly signal: AbortSignal;
    },
  ) => Promise<ResultOf<Jobs[Type]>> | ResultOf<Jobs[Type]>;
};

export interface WorkerOptions<Jobs extends JobMap> {
  /** Where to work: a connection, or a transport such as an engine in the same process gives. */
  readonly connection: ConnectionOptions | WorkerTransport;
  readonly handlers: Handlers<Jobs>;
  /** Default: all queues. */
  readonly queues?: readonly string[];
  /** Handlers that may run at once. Default 10. */
  readonly concurrency?: number;
  /** Jobs claimed ahead, so that a free handler never waits for the network. Default: as many as concurrency. */
  readonly prefetch?: number;
  /** How long the service waits without a heartbeat before it gives a job to somebody else. Default 30,000. */
  readonly leaseMs?: number;
  /** Default: drawn at random. */
  readonly workerId?: string;
  /** How long stop() lets running handlers finish before it aborts them. Default 10,000. */
  readonly drainMs?: number;
  /** Told of everything that went wrong and was dealt with: lost leases, an unreachable service. Default: a warning. */
  readonly onProblem?: (problem: WorkerProblem) => void;
}

interface Attempt {
  readonly claim: WorkerClaim;
  readonly abort: AbortController;
  readonly claimedAt: number;
  started: boolean;
}

/** Most claims asked for at once. */
const MAX_CLAIM = 500;
const LONG_POLL_MS = 20_000;
/** Timers count in 32 bits. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;
/** How long the last outcomes may take to reach the service when the worker stops. */
const DELIVERY_MS = 2_000;

/**
 * Claims jobs, runs their handlers, keeps the leases and reports the outcomes.
 *
 * I1. Every claimed job is in #attempts until its outcome was acknowledged or refused.
 * I2. Heartbeats cover all of #attempts, so waiting for a free handler does not cost a lease.
 * I3. After stop() nothing is claimed; what has not started is released, so a deploy spends no attempt.
 */
export class JobsWorker<Jobs extends JobMap> implements AsyncDisposable {
  readonly workerId: string;
  readonly #transport: WorkerTransport;
  readonly #acknowledger: Acknowledger;
  readonly #options: WorkerOptions<Jobs>;
  readonly #onProblem: (problem: WorkerProblem) => void;
  readonly #concurrency: number;
  readonly #capacity: number;
  readonly #leaseMs: number;
  readonly #attempts = new Map<string, Attempt>();
  readonly #waiting = new WaitingJobs<Attempt>();
  readonly #stopping = new AbortController();
  readonly #drained = new AbortController();
  readonly #ended = Promise.withResolvers<void>();
  #running = 0;
  #quiet = false;
  #wake: () => void = () => {};
  #claiming: Promise<unknown> | undefined;
  #beating: Promise<unknown> | undefined;
  #stopped: Promise<void> | undefined;

  constructor(options: WorkerOptions<Jobs>) {
    this.#options = options;
    this.#transport = 'claim' in options.connection ? options.connection : httpTransport(options.connection);
    this.#onProblem = options.onProblem ?? warnOfProblem;
    this.#concurrency = options.concurrency ?? 10;
    if (!(this.#concurrency >= 1)) throw new RangeError('concurrency must be at least 1');
    if (Object.keys(options.handlers).length === 0)
      throw new RangeError('handlers must have one type at least');
    this.#capacity = this.#concurrency + (options.prefetch ?? this.#concurrency);
    this.#leaseMs = options.leaseMs ?? 30_000;
    this.workerId = options.workerId ?? `worker-${crypto.randomUUID()}`;
    this.#acknowledger = new Acknowledger(this.#transport, this.#leaseMs);
  }

  /** Begins to work; returns at once. */
  start(): this {
    if (this.#stopping.signal.aborted) throw new Error('a worker that was stopped does not start again');
    this.#claiming ??= this.#claimLoop();
    this.#beating ??= this.#keepLeases();
    return this;
  }

  /** Handlers running now. */
  get running(): number {
    return this.#running;
  }

  /** Claims no more, gives back what has not started, lets handlers finish for drainMs, then aborts and releases them. */
  stop(): Promise<void> {
    this.#stopped ??= this.#drain().finally(this.#ended.resolve);
    return this.#stopped;
  }

  /** Resolves when it has stopped, whether by stop() or because an operator had it stop. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #drain(): Promise<void> {
    const deadline = performance.now() + (this.#options.drainMs ?? 10_000);
    this.#stopping.abort(new AttemptAbortedError('draining'));
    this.#wake();
    for (const attempt of this.#waiting.takeAll()) this.#release(attempt);
    // A claim under way may still bring jobs: they go back as well.
    const waited = new AbortController();
    await Promise.race([this.#claiming, pause(DELIVERY_MS, waited.signal)]);
    waited.abort();
    await this.#untilEmpty(deadline);
    for (const attempt of this.#attempts.values()) attempt.abort.abort(new AttemptAbortedError('draining'));
    await this.#untilEmpty(performance.now() + DELIVERY_MS);
    // A handler that ignores its signal must not keep the process.
    for (const attempt of this.#attempts.values()) this.#release(attempt);
    await this.#untilEmpty(performance.now() + DELIVERY_MS);
    this.#acknowledger.close();
    this.#attempts.clear();
    this.#drained.abort();
    await this.#beating;
  }

  async #untilEmpty(deadline: number): Promise<void> {
    while (this.#attempts.size > 0 && performance.now() < deadline) await pause(5);
  }

  async #claimLoop(): Promise<void> {
    const signal = this.#stopping.signal;
    let failures = 0;
    while (!signal.aborted) {
      const free = this.#capacity - this.#attempts.size;
      // Half the room at once, so that a busy worker claims in batches and not job by job.
      if (this.#quiet || free <= 0 || (free < this.#capacity / 2 && this.#waiting.length > 0)) {
        await this.#wakeUp();
        continue;
      }
      try {
        const claims = await this.#transport.claim(this.#claimRequest(free), signal);
        failures = 0;
        for (const claim of claims) this.#accept(claim);
        this.#runWaiting();
      } catch (error) {
        if (signal.aborted) break;
        failures += 1;
        this.#onProblem({ what: 'claim failed', error });
        await pause(Math.min(5_000, 100 * 2 ** failures) * (0.5 + Math.random() / 2), signal).catch(() => {});
      }
    }
  }

  #claimRequest(free: number) {
    return {
      workerId: this.workerId,
      types: Object.keys(this.#options.handlers),
      max: Math.min(free, MAX_CLAIM),
      leaseMs: this.#leaseMs,
      waitMs: LONG_POLL_MS,
      ...(this.#options.queues ? { queues: this.#options.queues } : {}),
    };
  }

  #wakeUp(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, 1_000);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #accept(claim: WorkerClaim): void {
    const attempt = { claim, abort: new AbortController(), claimedAt: performance.now(), started: false };
    this.#attempts.set(claim.leaseToken, attempt);
    if (this.#stopping.signal.aborted) this.#release(attempt);
    else this.#waiting.push(attempt);
  }

  #runWaiting(): void {
    while (this.#running < this.#concurrency) {
      const attempt = this.#waiting.shift();
      if (!attempt) return;
      void this.#run(attempt);
    }
  }

  async #run(attempt: Attempt): Promise<void> {
    attempt.started = true;
    this.#running += 1;
    const { job, leaseToken } = attempt.claim;
    const { handlers } = this.#options;
    const handler = Object.hasOwn(handlers, job.type) ? handlers[job.type] : undefined;
    const disarm = this.#armTimeout(attempt);
    const outcome = await outcomeOf(handler as Parameters<typeof outcomeOf>[0], job, attempt.abort.signal);
    disarm();
    this.#running -= 1;
    this.#runWaiting();
    this.#wake();
    await this.#acknowledge(attempt, { leaseToken, ...outcome } as WorkerAcknowledgement);
  }

  /** The service counts from the claim on, and ends the attempt then, whatever the handler does. */
  #armTimeout({ claim: { job, leaseToken }, claimedAt }: Attempt): () => void {
    if (job.timeoutMs === null) return () => {};
    const leftMs = Math.min(LONGEST_TIMER_MS, claimedAt + job.timeoutMs - performance.now());
    const timer = setTimeout(() => this.#abort(leaseToken, 'timed_out'), leftMs);
    return () => clearTimeout(timer);
  }

  #release(attempt: Attempt): void {
    const { leaseToken } = attempt.claim;
    void this.#acknowledge(attempt, { leaseToken, outcome: 'released', reason: 'the worker stops' });
  }

  async #acknowledge(attempt: Attempt, acknowledgement: WorkerAcknowledgement): Promise<void> {
    const answer = await this.#acknowledger.acknowledge(acknowledgement);
    if (answer.kind === 'unacceptable') {
      const { jobId, what } = { jobId: attempt.claim.job.id, what: 'result not accepted' };
      this.#onProblem({ what, jobId, error: answer.error });
      if (acknowledgement.outcome === 'completed') {
        const { leaseToken } = acknowledgement;
        const failed = { leaseToken, ...outcomeOfRefusedResult(answer.error) } as WorkerAcknowledgement;
        return this.#acknowledge(attempt, failed);
      }
    }
    this.#attempts.delete(attempt.claim.leaseToken);
    this.#wake();
    if (answer.kind === 'refused') {
      this.#onProblem({ what: `outcome refused: ${answer.code}`, jobId: attempt.claim.job.id });
    }
  }

  #keepLeases(): Promise<void> {
    return keepLeases({
      transport: this.#transport,
      workerId: this.workerId,
      leaseMs: this.#leaseMs,
      signal: this.#drained.signal,
      leases: () => [...this.#attempts.keys()],
      told: (directive, leases) => {
        for (const { leaseToken, status } of leases) {
          if (status === 'lost') this.#abort(leaseToken, 'lease_lost');
          if (status === 'cancel_requested') this.#abort(leaseToken, 'cancel_requested');
        }
        this.#quiet = directive !== 'run';
        if (directive === 'terminate') void this.stop();
        this.#wake();
      },
      failed: (error) => this.#onProblem({ what: 'heartbeat failed', error }),
      // Nobody can know the leases are still ours: stop before somebody else starts.
      silent: () => {
        for (const leaseToken of [...this.#attempts.keys()]) this.#abort(leaseToken, 'lease_lost');
      },
    });
  }

  #abort(leaseToken: string, why: AttemptAbortedError['why']): void {
    const attempt = this.#attempts.get(leaseToken);
    if (!attempt || attempt.abort.signal.aborted) return;
    attempt.abort.abort(new AttemptAbortedError(why));
    if (attempt.started) return;
    this.#waiting.remove(attempt);
    if (why === 'cancel_requested') void this.#acknowledge(attempt, { leaseToken, outcome: 'cancelled' });
    else this.#attempts.delete(leaseToken);
  }
}
