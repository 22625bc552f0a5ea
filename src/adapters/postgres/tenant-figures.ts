import type pg from 'pg';
import { pause } from '../../commands/pause.ts';
import type { Clock } from '../../commands/ports.ts';
import type { Labels, Metrics } from '../../commands/telemetry.ts';

const DAY_MS = 86_400_000;

export interface TenantFiguresOptions {
  readonly pool: pg.Pool;
  readonly clock: Clock;
  readonly metrics: Metrics;
  /** Tenants that get figures of their own; the rest are one. */
  readonly most: number;
  readonly everyMs?: number | undefined;
}

type Figure = readonly [value: number, labels: Labels];

/**
 * Reports what the tenants with the most unfinished jobs use, and all others together, until the signal aborts. For one
 * leader at a time: added up over processes, figures of several would be wrong.
 */
export function createTenantFigures(options: TenantFiguresOptions): (signal: AbortSignal) => Promise<void> {
  const { pool, clock, metrics, most, everyMs = 15_000 } = options;
  return async (signal) => {
    try {
      while (!signal.aborted) {
        const { rows } = await pool.query<FigureRow>(FIGURES, [most, Math.floor(clock.now() / DAY_MS)]);
        metrics.gauges('tenant_usage', rows.flatMap(usageOf));
        metrics.gauges('tenant_limit', rows.flatMap(limitsOf));
        await pause(everyMs, signal);
      }
    } finally {
      // Whoever leads next has newer ones.
      metrics.gauges('tenant_usage', []);
      metrics.gauges('tenant_limit', []);
    }
  };
}

interface FigureRow {
  /** null: all others. */
  readonly tenant_id: string | null;
  readonly unfinished: string;
  readonly today: string;
  readonly running: string;
  readonly limits: Readonly<Record<string, number | null>> | null;
}

/** No tenant can be called so: ids have no blanks. */
const OTHERS = 'all others';

const usageOf = ({ tenant_id, unfinished, today, running }: FigureRow): readonly Figure[] => {
  const tenant = tenant_id ?? OTHERS;
  return [
    [Number(unfinished), { tenant, limit: 'unfinishedJobs' }],
    [Number(today), { tenant, limit: 'jobsPerDay' }],
    [Number(running), { tenant, limit: 'runningJobs' }],
  ];
};

const limitsOf = ({ tenant_id: tenant, limits }: FigureRow): readonly Figure[] =>
  tenant === null
    ? []
    : Object.entries(limits ?? {}).flatMap(([limit, value]): readonly Figure[] =>
        value === null ? [] : [[value, { tenant, limit }]],
      );

const FIGURES = `
with used as (
  select
    tenant_id,
    quota,
    greatest(0, coalesce((quota::jsonb ->> 'unfinished')::bigint, 0) + adopted + revived - released) as unfinished,
    case
      when quota is null then case when day = $2 then enqueued else 0 end
      when quota_day >= $2 then used_today
      when quota_day = $2 - 1 then used_ahead
      else 0
    end as today
  from eventzr.quota_usage
), top as (
  select tenant_id, unfinished, today, quota::jsonb -> 'terms' -> 'limits' as limits
  from used
  order by unfinished desc, today desc, tenant_id
  limit $1
), running as (
  select tenant_id, sum(running) as running
  from eventzr.queue_counts
  group by tenant_id
)
select t.tenant_id, t.unfinished, t.today, coalesce(r.running, 0) as running, t.limits
from top as t
left join running as r using (tenant_id)
union all
select
  null,
  coalesce((select sum(unfinished) from used), 0) - coalesce((select sum(unfinished) from top), 0),
  coalesce((select sum(today) from used), 0) - coalesce((select sum(today) from top), 0),
  coalesce((select sum(running) from running), 0)
    - coalesce((select sum(running) from running where tenant_id in (select tenant_id from top)), 0),
  null`;
