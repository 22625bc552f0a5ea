import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { EventLog, LogPage, Position } from '../../commands/ports.ts';
import type { DataSchemas } from '../cloudevents/data-schema.ts';
import { type FeedFilter, prefixesOf, publicItems } from './event-feed.ts';

const PAGE_SIZE = 200;

export interface StreamSettings {
  readonly log: EventLog;
  readonly filter: FeedFilter;
  readonly dataSchemas: DataSchemas;
  readonly after: Position;
  readonly signal: AbortSignal;
  readonly pingMs: number;
  /** Longest time that written bytes may wait for the client. */
  readonly slowMs: number;
}

/**
 * Writes a tenant's public events to an open response as server-sent events until the signal aborts or the client is
 * too slow. `id` is the position to resume after; ids without an event move it on past what the filter left out.
 */
export async function streamEvents(response: ServerResponse, settings: StreamSettings): Promise<void> {
  const { log, filter, dataSchemas, after, pingMs } = settings;
  const slow = new AbortController();
  const signal = AbortSignal.any([settings.signal, slow.signal]);
  const ping = setInterval(() => void response.write(': ping\n\n'), pingMs);
  try {
    let caughtUp = false;
    await write(response, 'retry: 2000\n\n', settings.slowMs, signal);
    for await (const page of log.subscribe(after, {
      prefixes: prefixesOf(filter),
      pageSize: PAGE_SIZE,
      signal,
    })) {
      const news = page.caughtUp && !caughtUp;
      caughtUp ||= page.caughtUp;
      const text = pageText(page, filter, dataSchemas) + (news ? caughtUpText(page.position) : '');
      if (text && !(await write(response, text, settings.slowMs, signal))) break;
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    clearInterval(ping);
    slow.abort();
  }
}

function pageText(page: LogPage, filter: FeedFilter, schemas: DataSchemas): string {
  const items = publicItems(page, filter, schemas);
  const text = items.map(
    ({ position, event }) => `id: ${position}\nevent: ${event.type}\ndata: ${event.json}\n\n`,
  );
  const last = items.at(-1)?.position;
  if (page.events.length > 0 && last !== page.position) text.push(`id: ${page.position}\n\n`);
  return text.join('');
}

const caughtUpText = (position: Position): string =>
  `id: ${position}\nevent: caught-up\ndata: {"position":"${position}"}\n\n`;

/** False when the client did not take the bytes in time. */
async function write(
  response: ServerResponse,
  text: string,
  slowMs: number,
  signal: AbortSignal,
): Promise<boolean> {
  if (response.write(text)) return true;
  try {
    await once(response, 'drain', { signal: AbortSignal.any([signal, AbortSignal.timeout(slowMs)]) });
    return true;
  } catch {
    return false;
  }
}
