import type { JobStatus } from '../../../domain/job/state.ts';
import type { QueueRow } from '../../../projections/queries.ts';
import { followLog } from '../await-position.ts';
import { tenantOf } from '../caller.ts';
import { type Stats, stats, timeseries, timeseriesQuery } from '../contract/stats.ts';
import { invalid } from '../problems.ts';
import { formatTime, parseOptionalTime } from '../rfc3339.ts';
import type { App, ServerParts } from '../server-parts.ts';
import { answers } from './describe.ts';

const TAGS = ['stats'];
const MOST_BUCKETS = 1_500;

export function statsRoutes(app: App, parts: ServerParts): void {
  const { queries, clock } = parts;

  app.get(
    '/v1/stats',
    {
      config: { permission: 'read' },
      schema: {
        operationId: 'getStats',
        summary: 'Jobs by status, over all queues',
        tags: TAGS,
        response: answers({ 200: stats }, 'projection-behind'),
      },
    },
    async (request, reply) => {
      await followLog(request, reply, parts, 'queue-stats');
      return sumUp(await queries.listQueues(tenantOf(request)));
    },
  );

  app.get(
    '/v1/stats/timeseries',
    {
      config: { permission: 'read' },
      schema: {
        operationId: 'getTimeseries',
        summary: 'What happened, minute by minute or hour by hour',
        tags: TAGS,
        querystring: timeseriesQuery,
        response: answers({ 200: timeseries }, 'projection-behind'),
      },
    },
    async (request, reply) => {
      await followLog(request, reply, parts, 'queue-stats');
      const { bucket, queue } = request.query;
      const bucketMs = bucket === '1m' ? 60_000 : 3_600_000;
      const to = parseOptionalTime(request.query.to) ?? clock.now();
      const from = parseOptionalTime(request.query.from) ?? to - (bucket === '1m' ? 60 : 168) * bucketMs;
      if (from >= to) throw invalid('from', 'must be before `to`');
      if ((to - from) / bucketMs > MOST_BUCKETS)
        throw invalid('from', `asks for more than ${MOST_BUCKETS} buckets`);
      const buckets = await queries.timeseries(tenantOf(request), { from, to, bucketMs, queue });
      return { bucketMs, data: buckets.map((one) => ({ ...one, at: formatTime(one.at) })) };
    },
  );
}

function sumUp(queues: readonly QueueRow[]): Stats {
  const counts: Record<JobStatus, number> = {
    scheduled: 0,
    queued: 0,
    running: 0,
    retrying: 0,
    completed: 0,
    cancelled: 0,
    dead_lettered: 0,
    purged: 0,
  };
  const ages: number[] = [];
  for (const queue of queues) {
    for (const status of Object.keys(counts) as JobStatus[]) counts[status] += queue.counts[status];
    if (queue.oldestReadyAgeMs !== null) ages.push(queue.oldestReadyAgeMs);
  }
  return {
    counts,
    queues: queues.length,
    pausedQueues: queues.filter(({ paused }) => paused !== null).length,
    oldestReadyAgeMs: ages.length > 0 ? Math.max(...ages) : null,
  };
}
