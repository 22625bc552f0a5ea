import { createMemoryRateBuckets } from '../../src/adapters/memory/rate-buckets.ts';
import { createEnqueueJobs } from '../../src/commands/enqueue-jobs.ts';
import { type FenceReservationsDeps, fenceOverdue } from '../../src/commands/fence-reservations.ts';
import { createJobHandler } from '../../src/commands/job-handler.ts';
import type { EventLog } from '../../src/commands/ports.ts';
import type { QuotaAccounts } from '../../src/commands/quota-accounts.ts';
import { QuotaGate } from '../../src/commands/quota-gate.ts';
import { createQuotaHandler } from '../../src/commands/quota-handler.ts';
import { type Recent, settleDue } from '../../src/commands/settle-quotas.ts';
import { systemMetadata } from '../../src/commands/system-metadata.ts';
import type { EnqueueResult } from '../../src/commands/use-cases.ts';
import type { JobCommand } from '../../src/domain/job/commands.ts';
import { jobStream } from '../../src/domain/job/stream.ts';
import { DEFAULT_TERMS, type QuotaLimits, UNLIMITED } from '../../src/domain/tenant-quota/limits.ts';
import { caller, jobRequest } from './caller.ts';
import { QuotaTruth } from './quota-truth.ts';
import { steppedLog } from './stepped-log.ts';

export const TENANT = 'acme';

/** What counts the log for settler and fence: it lags behind as far as the test likes. */
export interface Counting {
  readonly accounts: QuotaAccounts;
  /** Counts at most so many events; answers whether there were any. */
  count(most: number): Promise<boolean>;
  /** What is counted for the tenant. */
  total(): Promise<{
    readonly owed: number;
    readonly pending: number;
    readonly folded: number;
    readonly carried: number;
  }>;
}

export interface WorldOptions {
  readonly log: EventLog;
  readonly counting: Counting;
  readonly random: (below: number) => number;
  readonly clock: { now: number };
  readonly crashes: boolean;
}

const PROCESSES = 2;
const KEYS = ['a', 'b'];

let drawn = 0;

/** Two processes that enqueue, two settlers and two fences over one log, each step of which a test releases. */
export class QuotaWorld {
  readonly truth: QuotaTruth;
  readonly counting: Counting;
  readonly waiting: (() => Promise<void>)[];
  readonly #options: WorldOptions;
  readonly #ids = {
    next: () => `00000000-0000-7000-8000-${(++drawn).toString(16).padStart(12, '0')}`,
    random: () => 0,
    secret: () => `s${++drawn}`,
  };
  readonly #clock: { now(): number };
  readonly #enqueuers: readonly ReturnType<typeof createEnqueueJobs>[];
  readonly #settlers: readonly (() => Promise<void>)[];
  readonly #fences: readonly (() => Promise<void>)[];
  readonly #commands: { readonly commandId: string; readonly keyed: boolean; readonly size: number }[] = [];

  constructor(options: WorldOptions) {
    this.#options = options;
    const { log, counting, random, crashes, clock } = options;
    this.truth = new QuotaTruth(log);
    this.counting = counting;
    this.#clock = { now: () => clock.now };
    const stepped = steppedLog(log, () => {
      const fate = crashes ? random(14) : 2;
      return fate === 0 ? 'before' : fate === 1 ? 'after' : undefined;
    });
    this.waiting = stepped.waiting;
    const deps = { log: stepped.log, clock: this.#clock, ids: this.#ids };
    const processes = Array.from({ length: PROCESSES });
    this.#enqueuers = processes.map(() =>
      createEnqueueJobs({
        ...deps,
        gate: new QuotaGate({ ...deps, buckets: createMemoryRateBuckets(this.#clock) }),
      }),
    );
    this.#settlers = processes.map(() => this.#settler(stepped.log));
    this.#fences = processes.map(() => () => fenceOverdue(this.#fenceDeps(stepped.log)));
  }

  /** Plain or keyed jobs, one or some; now and then a command that was given before, as after a crash. */
  enqueue(): Promise<readonly EnqueueResult[]> {
    const { random } = this.#options;
    const repeated = random(3) === 0 ? this.#commands[random(this.#commands.length || 1)] : undefined;
    const fresh = { commandId: this.#ids.next(), keyed: random(3) === 0, size: 1 + random(4) };
    const { commandId, keyed, size } = repeated ?? fresh;
    const named = repeated !== undefined || random(2) === 0;
    if (named && !repeated) this.#commands.push(fresh);
    const requests = Array.from({ length: size }, (_, index) =>
      jobRequest(keyed ? { dedupeKey: KEYS[index % KEYS.length] } : {}),
    );
    const enqueue = this.#enqueuers[random(PROCESSES)] ?? this.#enqueuers[0];
    if (!enqueue) throw new Error('no process');
    const atomic = !keyed && random(5) === 0;
    return enqueue(caller(TENANT), requests, { ...(named && { commandId }), atomic });
  }

  settle(): Promise<void> {
    return this.#settlers[this.#options.random(PROCESSES)]?.() ?? Promise.resolve();
  }

  fence(): Promise<void> {
    return this.#fences[this.#options.random(PROCESSES)]?.() ?? Promise.resolve();
  }

  /** Somebody outside ends one of the jobs: completed, cancelled, or dead. */
  async finish(): Promise<void> {
    const { random } = this.#options;
    const at = this.#clock.now();
    const leaseId = this.#ids.secret();
    const start = { type: 'StartJob', workerId: 'w', leaseId, leaseMs: 30_000, at } as const;
    const error = { type: 'E', message: 'm', fingerprint: 'f' };
    const endings: readonly (readonly JobCommand[])[] = [
      [start, { type: 'CompleteJob', leaseId, at }],
      [start, { type: 'FailJob', leaseId, error, fatal: true, jitter: 0, at }],
      [{ type: 'CancelJob', graceMs: 0, at }],
    ];
    await this.#command(this.truth.ofStatus('queued', 'scheduled'), endings[random(endings.length)] ?? []);
  }

  /** A person brings a finished job back, or throws a dead one away. */
  async revive(): Promise<void> {
    const { random } = this.#options;
    const at = this.#clock.now();
    if (random(3) === 0) {
      await this.#command(this.truth.ofStatus('dead_lettered'), [
        { type: 'PurgeDeadLetter', reason: 'r', at },
      ]);
      return;
    }
    await this.#command(this.truth.ofStatus('dead_lettered'), [{ type: 'ReplayDeadLetter', at }]);
    await this.#command(this.truth.ofStatus('cancelled'), [{ type: 'RetryJob', resetAttempts: true, at }]);
  }

  async limit(limits: Partial<QuotaLimits>): Promise<void> {
    const at = this.#clock.now();
    const terms = { ...DEFAULT_TERMS, limits: { ...UNLIMITED, ...limits } };
    await createQuotaHandler(this.#options.log).handle({
      command: { type: 'SetTerms', terms, at },
      metadata: systemMetadata('test', TENANT, this.#ids.next(), at),
    });
  }

  /** Until everything is counted, settled and fenced; nobody crashes any more. A tenant without a quota is given one. */
  async rest(): Promise<void> {
    const { log, clock } = this.#options;
    if (!this.truth.carried) await this.limit({ unfinishedJobs: 4 });
    const settle = this.#settler(log);
    for (let round = 0; round < 20; round += 1) {
      while (await this.counting.count(1_000));
      const { owed, pending } = await this.counting.total();
      if (owed === 0 && pending === 0 && round > 1) return;
      clock.now += 61_000;
      await settle();
      await fenceOverdue(this.#fenceDeps(log));
    }
    throw new Error('the accounts do not come to rest');
  }

  #settler(log: EventLog): () => Promise<void> {
    const recent = new Map<string, Recent>();
    const { signal } = new AbortController();
    return async () => {
      await settleDue(this.#fenceDeps(log), recent, signal);
    };
  }

  #fenceDeps(log: EventLog): FenceReservationsDeps {
    return {
      log,
      jobs: createJobHandler(log),
      handler: createQuotaHandler(log),
      accounts: this.counting.accounts,
      clock: this.#clock,
      ids: this.#ids,
    };
  }

  async #command(among: readonly string[], commands: readonly JobCommand[]): Promise<void> {
    const { random, log } = this.#options;
    const jobId = among[random(among.length || 1)];
    if (jobId === undefined) return;
    const metadata = systemMetadata('test', TENANT, this.#ids.next(), this.#clock.now());
    const stream = jobStream(TENANT, jobId);
    await createJobHandler(log).handle(commands.map((command) => ({ stream, command, metadata })));
    await this.truth.look();
  }
}
