import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Position } from '../../../commands/ports.ts';
import { holderOf, tenantOf } from '../caller.ts';
import { eventPage, listEventsQuery, streamEventsQuery } from '../contract/events.ts';
import { whileSomebody } from '../credential-watch.ts';
import { type FeedFilter, type FeedItem, prefixesOf, publicItems } from '../event-feed.ts';
import type { OpenRequests } from '../open-requests.ts';
import { HttpProblem, invalid } from '../problems.ts';
import { NO_SNIFFING } from '../security-headers.ts';
import { sendJson } from '../send-json.ts';
import type { App, ServerParts } from '../server-parts.ts';
import { streamEvents } from '../sse.ts';
import { answers } from './describe.ts';

const TAGS = ['events'];
/** How much of the log one page may look through. */
const MOST_READS = 20;
const READ_SIZE = 500;

export function eventRoutes(app: App, parts: ServerParts, streams: OpenRequests): void {
  const { log, dataSchemas, credentials, limits, logger } = parts;

  app.get(
    '/v1/events',
    {
      config: { permission: 'read' },
      schema: {
        operationId: 'listEvents',
        summary: 'The public events as CloudEvents, oldest first',
        description: 'Go on with `after` set to the answer’s `position`, also when `data` is empty.',
        tags: TAGS,
        querystring: listEventsQuery,
        response: answers({ 200: eventPage }),
      },
    },
    async (request, reply) => {
      const { after = '0', limit, ...filter } = request.query;
      const wanted = { ...filter, tenantId: tenantOf(request), redaction: request.redaction };
      const page = await readFeed(parts, BigInt(after), wanted, limit);
      const items = page.items.map(
        ({ position, event }) => `{"position":"${position}","event":${event.json}}`,
      );
      const json = `{"data":[${items.join(',')}],"position":"${page.position}","caughtUp":${page.caughtUp}}`;
      return sendJson(reply, 200, json);
    },
  );

  app.get(
    '/v1/events/stream',
    {
      // A stream without a body would stay open and say nothing.
      exposeHeadRoute: false,
      config: { permission: 'read' },
      schema: {
        operationId: 'streamEvents',
        summary: 'The public events as they happen (server-sent events)',
        description:
          'text/event-stream: `id` is the position, `event` the CloudEvent type, `data` the CloudEvent. Resume with ' +
          'Last-Event-ID or `after`; without either it starts now. `caught-up` comes once when everything before is sent.',
        tags: TAGS,
        querystring: streamEventsQuery,
        response: answers({ 200: z.string() }, 'not-acceptable', 'too-many-requests', 'shutting-down'),
      },
    },
    async (request, reply) => {
      refuseOtherFormats(request);
      const { after, ...query } = request.query;
      const filter = { ...query, tenantId: tenantOf(request), redaction: request.redaction };
      const start = startOf(request, after) ?? (await log.head());
      using open = streams.open(reply.raw, holderOf(request));
      using watch = whileSomebody(request, credentials, open.signal);
      reply.hijack();
      reply.raw.writeHead(200, {
        ...STREAM_HEADERS,
        'request-id': request.id,
      });
      const { streamPingMs: pingMs, slowStreamMs: slowMs } = limits;
      try {
        await streamEvents(reply.raw, {
          log,
          filter,
          dataSchemas,
          after: start,
          signal: watch.signal,
          pingMs,
          slowMs,
        });
      } catch (err) {
        logger.warn({ err, requestId: request.id }, 'event stream broke off');
      }
      endStream(reply.raw);
    },
  );
}

const STREAM_HEADERS = {
  ...NO_SNIFFING,
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache, no-transform',
  // Proxies must not collect the events of a minute.
  'x-accel-buffering': 'no',
} as const;

interface FeedPage {
  readonly items: readonly FeedItem[];
  readonly position: Position;
  readonly caughtUp: boolean;
}

async function readFeed(
  { log, dataSchemas }: Pick<ServerParts, 'log' | 'dataSchemas'>,
  after: Position,
  filter: FeedFilter,
  limit: number,
): Promise<FeedPage> {
  const items: FeedItem[] = [];
  let position = after;
  for (let reads = 0; reads < MOST_READS; reads += 1) {
    const page = await log.readLog(position, READ_SIZE, { prefixes: prefixesOf(filter) });
    items.push(...publicItems(page, filter, dataSchemas));
    const last = items[limit - 1];
    if (last) return { items: items.slice(0, limit), position: last.position, caughtUp: false };
    position = page.position;
    if (page.caughtUp) return { items, position, caughtUp: true };
  }
  return { items, position, caughtUp: false };
}

function startOf(request: FastifyRequest, after: string | undefined): Position | undefined {
  const header = request.headers['last-event-id'];
  if (header === undefined) return after === undefined ? undefined : BigInt(after);
  if (typeof header !== 'string' || !/^\d{1,18}$/.test(header)) {
    throw invalid('Last-Event-ID', 'must be an id that this stream gave out');
  }
  return BigInt(header);
}

function refuseOtherFormats(request: FastifyRequest): void {
  const accept = request.headers.accept;
  if (accept !== undefined && !/text\/(event-stream|\*)|\*\/\*/.test(accept)) {
    throw new HttpProblem('not-acceptable', 'this address only speaks text/event-stream');
  }
}

/** A slow client would keep its unread bytes and the socket for ever: what it has not taken by now is dropped. */
function endStream(response: {
  end(): unknown;
  destroy(): unknown;
  readonly writableNeedDrain: boolean;
}): void {
  if (response.writableNeedDrain) response.destroy();
  else response.end();
}
