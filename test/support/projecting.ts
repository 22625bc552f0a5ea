import { setTimeout as pause } from 'node:timers/promises';
import type { EventLog, Position } from '../../src/commands/ports.ts';
import { Freshness } from '../../src/projections/freshness.ts';
import type { Projection } from '../../src/projections/projection.ts';
import { runProjections } from '../../src/projections/runner.ts';
import type { TestDatabase } from './database.ts';
import { running } from './running.ts';
import { appendAmounts, environmentOf } from './tally.ts';

/** A server that keeps the tally up to date until it is disposed of. */
export function projecting({ pool }: TestDatabase, log: EventLog, projection: Projection) {
  const environment = environmentOf(pool, log, 'server');
  const freshness = new Freshness({ environment, projections: [projection] });
  const advanced = (name: string, position: Position) => freshness.advanced(name, position);
  const runner = running((stop) =>
    runProjections({ environment, projections: [projection], advanced }, stop),
  );
  const shows = async (position: Position) => {
    if (!(await freshness.waitFor('tally', position, 60_000))) throw new Error(`${position} is not shown`);
  };
  return { ...runner, freshness, shows };
}

/** Appends on and on until stopped, so that who reads along can keep up; answers the last position. */
export function appending(log: EventLog): () => Promise<Position> {
  const stop = new AbortController();
  const ended = (async () => {
    let position = 0n;
    for (let turn = 0; !stop.signal.aborted; turn += 1) {
      position = await appendAmounts(log, `live${turn % 50}`, [turn, 1]);
      await pause(1);
    }
    return position;
  })();
  return () => {
    stop.abort();
    return ended;
  };
}
