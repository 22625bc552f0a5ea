import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';
import type { ListEventsQuery } from '../adapters/http/contract/events.ts';
import { CliError } from './cli-error.ts';
import { numberText } from './format.ts';
import { type Progress, progressOf } from './progress.ts';
import type { Session } from './session.ts';

const PAGE = 200;

/** Writes the feed from `after` to where it ends now. The last line of standard error says where to go on. */
export async function exportEvents(
  session: Session,
  filter: Partial<ListEventsQuery>,
  file: string | undefined,
): Promise<void> {
  const { client, out, signal } = session;
  const target = file === undefined ? process.stdout : createWriteStream(file);
  const failed = file === undefined ? new Promise<never>(() => {}) : once(target, 'error').then(refuse(file));
  failed.catch(() => {});
  const end = await headOf(session);
  const progress = progressOf(out, 'export');
  const startedAt = performance.now();
  let position = filter.after ?? '0';
  let count = 0;
  for (let caughtUp = false; !caughtUp && !signal.aborted; ) {
    const page = await client.eventPage({ ...filter, after: position, limit: PAGE });
    for (const item of page.data) {
      if (!target.write(`${JSON.stringify(item)}\n`)) await Promise.race([once(target, 'drain'), failed]);
    }
    ({ position, caughtUp } = page);
    // What is written while we read belongs to the next export.
    caughtUp ||= end !== undefined && BigInt(position) >= end;
    count += page.data.length;
    report(progress, {
      position,
      end,
      count,
      seconds: (performance.now() - startedAt) / 1_000,
      from: filter.after,
    });
  }
  if (file !== undefined) {
    target.end();
    await Promise.race([finished(target), failed]);
  }
  progress.end(`${numberText(count)} events; go on with --after ${position}`);
  if (signal.aborted) throw new CliError('interrupted');
}

const refuse =
  (file: string) =>
  (errors: unknown[]): never => {
    throw new CliError(`${file} can't be written: ${(errors[0] as Error | undefined)?.message}`);
  };

/** Where the log ends; only to know how much is left. */
async function headOf({ client }: Session): Promise<bigint | undefined> {
  const [first] = await client.projections.list();
  return first && BigInt(first.head);
}

function report(
  progress: Progress,
  now: {
    position: string;
    end: bigint | undefined;
    count: number;
    seconds: number;
    from: string | undefined;
  },
): void {
  const from = Number(now.from ?? 0);
  const way = Math.max(1, Number(now.end ?? 0) - from);
  const done = now.end === undefined ? 0 : Math.min(1, (Number(now.position) - from) / way);
  const etaMs = done > 0 ? ((now.seconds * 1_000) / done) * (1 - done) : null;
  const perSecond = now.seconds > 0 ? now.count / now.seconds : 0;
  progress.update({ done, phase: 'reading', count: now.count, perSecond, etaMs });
}
