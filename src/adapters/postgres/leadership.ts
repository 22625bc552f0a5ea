import type pg from 'pg';
import { pause } from '../../commands/pause.ts';
import { type Logger, type Metrics, noLogger, noMetrics } from '../../commands/telemetry.ts';
import { type Lead, type Leadership, LeadershipTakenError } from '../../projections/lead.ts';

export interface LeaderSettings {
  /** A busy pool delays renewals: give leadership a small pool of its own when the other is used hard. */
  readonly pool: pg.Pool;
  /** Who leads, for people: host and process id. Two contenders may carry the same name. */
  readonly holder: string;
  readonly logger?: Logger;
  readonly metrics?: Metrics;
  /** Life of an unrenewed lease by the database's clock. Default 5 s. */
  readonly ttlMs?: number;
  /** Default 1.5 s. */
  readonly renewEveryMs?: number;
  /** How often a standby tries. Default 500 ms. */
  readonly tryEveryMs?: number;
  /** How long a task may take to end once its signal has aborted. Default 5 s. */
  readonly stopMs?: number;
}

/** Leadership by lease rows in Postgres; see runAsLeader. */
export function createLead(settings: LeaderSettings): Lead {
  return (leadership) => runAsLeader({ ...settings, ...leadership });
}

/**
 * Waits for the lease, runs the task, renews. The task's signal aborts before the lease can expire by the database's
 * clock, so two holders overlap only if a task ignores its signal: that is what the fence is for. A standby takes over
 * tryEveryMs after a clean stop, and at most ttlMs + tryEveryMs after a crash.
 */
export async function runAsLeader(options: LeaderSettings & Leadership): Promise<void> {
  const { name, signal, waitMs, tryEveryMs = 500 } = options;
  const giveUpAt = performance.now() + (waitMs ?? Number.POSITIVE_INFINITY);
  while (!signal.aborted) {
    const lease = await acquire(options);
    if (lease) {
      const how = await leadWith(lease, options);
      if (how === 'ended') return;
    } else if (performance.now() >= giveUpAt) {
      throw new LeadershipTakenError(name, await holderOf(options));
    }
    await pause(tryEveryMs, signal);
  }
}

interface Lease {
  readonly fence: bigint;
  /** Process clock: until then the lease can't have expired. */
  readonly validUntil: number;
}

/** Part of the lease that is kept for ending the task. */
const SAFETY = 0.2;

async function leadWith(lease: Lease, options: LeaderSettings & Leadership): Promise<'ended' | 'lost'> {
  const { name, task, signal, logger = noLogger, metrics = noMetrics, stopMs = 5_000 } = options;
  const lost = new AbortController();
  const ended = new AbortController();
  logger.info({ leadership: name, fence: `${lease.fence}` }, 'leading');
  metrics.gauge('leader', 1, { name });
  const renewing = renewUntilLost(lease, options, ended.signal).then((kept) => {
    if (!kept) lost.abort(new Error(`leadership of ${name} was lost`));
  });
  const stop = AbortSignal.any([signal, lost.signal]);
  const running = (async () => task(stop, lease.fence))();
  try {
    await Promise.race([running, overdue(stop, stopMs, ended.signal)]);
  } catch (error) {
    if (!stop.aborted) throw error;
    logger.warn({ leadership: name, err: error }, 'task failed while stopping');
  } finally {
    ended.abort();
    await renewing;
    metrics.gauge('leader', 0, { name });
    await release(lease, options);
    running.catch((err) => logger.debug({ leadership: name, err }, 'task ended after its leadership'));
  }
  if (lost.signal.aborted) {
    metrics.count('leader_lost_total', 1, { name });
    logger.warn({ leadership: name, fence: `${lease.fence}` }, 'leadership lost');
    return 'lost';
  }
  return 'ended';
}

/** Rejects when the task is still running stopMs after it was told to stop. */
async function overdue(stop: AbortSignal, stopMs: number, ended: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  stop.addEventListener('abort', () => resolve(), { once: true });
  ended.addEventListener('abort', () => resolve(), { once: true });
  if (stop.aborted) resolve();
  await promise;
  await pause(stopMs, ended);
  if (!ended.aborted) throw new Error('the task did not stop in time');
}

/** false: the lease is no longer certainly ours. true: the task has ended first. */
async function renewUntilLost(
  lease: Lease,
  options: LeaderSettings & Leadership,
  ended: AbortSignal,
): Promise<boolean> {
  const { renewEveryMs = 1_500, ttlMs = 5_000, name, logger = noLogger } = options;
  let validUntil = lease.validUntil - ttlMs * SAFETY;
  let waitMs = renewEveryMs;
  for (;;) {
    await pause(Math.min(waitMs, validUntil - performance.now()), ended);
    if (ended.aborted) return true;
    if (performance.now() >= validUntil) return false;
    const sentAt = performance.now();
    const answer = await Promise.race([
      renew(lease, options, validUntil - sentAt).catch((err: unknown) => {
        logger.warn({ leadership: name, err }, 'lease not renewed');
        return 'failed' as const;
      }),
      pause(validUntil - sentAt, ended).then(() => 'failed' as const),
    ]);
    if (answer === 'taken') return false;
    if (answer === 'renewed') validUntil = sentAt + ttlMs * (1 - SAFETY);
    waitMs = answer === 'renewed' ? renewEveryMs : renewEveryMs / 5;
  }
}

async function acquire(options: LeaderSettings & Leadership): Promise<Lease | undefined> {
  const { pool, name, holder, ttlMs = 5_000 } = options;
  const sentAt = performance.now();
  const { rows } = await pool.query<{ fence: string }>(within(ttlMs, ACQUIRE, [name, holder, ttlMs]));
  const [row] = rows;
  return row && { fence: BigInt(row.fence), validUntil: sentAt + ttlMs };
}

async function renew(
  { fence }: Lease,
  { pool, name, ttlMs = 5_000 }: LeaderSettings & Leadership,
  timeoutMs: number,
): Promise<'renewed' | 'taken'> {
  const { rowCount } = await pool.query(within(timeoutMs, RENEW, [name, `${fence}`, ttlMs]));
  return rowCount === 1 ? 'renewed' : 'taken';
}

/** Best effort: an unreleased lease expires by itself. */
async function release(
  { fence }: Lease,
  { pool, name, logger = noLogger }: LeaderSettings & Leadership,
): Promise<void> {
  const released = pool.query(within(1_000, RELEASE, [name, `${fence}`]));
  await released.catch((err: unknown) => logger.warn({ leadership: name, err }, 'lease not released'));
}

/** For a process that is certainly alone on its database: whoever led before is dead, and need not be waited for. */
export async function forgetLeaders(pool: pg.Pool): Promise<void> {
  await pool.query(within(5_000, FORGET, []));
}

async function holderOf({ pool, name }: LeaderSettings & Leadership): Promise<string> {
  const { rows } = await pool.query<{ holder: string }>(within(5_000, HOLDER, [name]));
  return rows[0]?.holder ?? 'someone else';
}

/** A query that fails, and whose connection is dropped, when there is no answer in time. The types of pg lack the option. */
function within(timeoutMs: number, text: string, values: unknown[]): pg.QueryConfig {
  const config = { text, values, query_timeout: Math.max(1, Math.trunc(timeoutMs)) };
  return config;
}

const ACQUIRE = `
insert into leader_leases as lease (name, holder, fence, expires_at)
values ($1, $2, 1, clock_timestamp() + $3 * interval '1 millisecond')
on conflict (name) do update
set holder = excluded.holder, fence = lease.fence + 1, expires_at = clock_timestamp() + $3 * interval '1 millisecond'
where lease.expires_at <= clock_timestamp()
returning fence`;

const RENEW = `
update leader_leases
set expires_at = clock_timestamp() + $3 * interval '1 millisecond'
where name = $1 and fence = $2 and expires_at > clock_timestamp()`;

const RELEASE = `
update leader_leases
set expires_at = '-infinity'
where name = $1 and fence = $2`;

const HOLDER = `
select holder
from leader_leases
where name = $1`;

const FORGET = `
update leader_leases
set expires_at = '-infinity'`;
