import { setTimeout as pause } from 'node:timers/promises';
import type { Projection } from '../adapters/http/contract/projections.ts';
import { CliError } from './cli-error.ts';
import { numberText } from './format.ts';
import { progressOf } from './progress.ts';
import type { Session } from './session.ts';

export type Rebuild = NonNullable<Projection['rebuild']>;

const POLL_MS = 200;

/** Shows how a rebuild comes along until it has ended, well or not. It goes on in the service when we are interrupted. */
export async function followRebuild(session: Session, name: string, begun: Projection): Promise<Rebuild> {
  const { client, out, signal } = session;
  const progress = progressOf(out, name);
  let { rebuild } = begun;
  // A short one is over before it could be looked at.
  for (; rebuild?.finishedAt === null; rebuild = (await client.projections.get(name)).rebuild) {
    const { done, phase, events, eventsPerSecond, etaMs } = rebuild;
    progress.update({
      done,
      phase: phase.replace('_', ' '),
      count: events,
      perSecond: eventsPerSecond,
      etaMs,
    });
    await pause(POLL_MS, undefined, { signal }).catch(() => {});
    if (signal.aborted) {
      progress.end('still running');
      throw new CliError(`interrupted; ${name} goes on in the service: projections status ${name}`);
    }
  }
  if (!rebuild)
    throw new CliError(`${name}: the service was restarted or another one answers; see projections status`);
  progress.end(summaryOf(rebuild));
  return rebuild;
}

function summaryOf({ error, errorCode, events, startedAt, finishedAt }: Rebuild): string {
  if (errorCode === 'not_comparable') return 'skipped';
  if (error !== null) return 'failed';
  const seconds = (Date.parse(finishedAt ?? startedAt) - Date.parse(startedAt)) / 1_000;
  const rate = seconds > 0 ? `, ${numberText(Math.round(events / seconds))}/s` : '';
  return `${numberText(events)} events in ${seconds.toFixed(1)} s${rate}`;
}
