import type pg from 'pg';
import type { EventLog } from '../../src/commands/ports.ts';
import { Freshness } from '../../src/projections/freshness.ts';
import type { Projection } from '../../src/projections/projection.ts';
import { runProjections } from '../../src/projections/runner.ts';
import { running } from './running.ts';
import { environmentOf } from './tally.ts';

/** What one process runs; a projection that fails at an event tries it again soon. */
export function runningProjections(
  pool: pg.Pool,
  log: EventLog,
  projections: readonly Projection[],
  holder = 'one',
) {
  const environment = environmentOf(pool, log, holder);
  const freshness = new Freshness({ environment, projections });
  const runner = running((signal) =>
    runProjections(
      {
        environment,
        projections,
        advanced: (name, position) => freshness.advanced(name, position),
        faultPauseMs: 50,
      },
      signal,
    ),
  );
  return { ...runner, environment, freshness };
}
