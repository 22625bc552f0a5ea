import type { CloudEvent } from '../adapters/http/contract/events.ts';
import { JobsApiError } from './errors.ts';
import { type ConnectionOptions, pause, send } from './http.ts';

export interface FeedFilter {
  /** Position to go on after; absent: from now on. */
  readonly after?: string;
  readonly types?: readonly string[];
  readonly queue?: string;
  readonly jobId?: string;
  readonly signal?: AbortSignal;
}

export interface FeedEvent {
  readonly position: string;
  readonly event: CloudEvent;
}

/** A stream that says nothing for this long is dead: the service pings every 15 s. */
const SILENCE_MS = 45_000;

/** Server-sent events of GET /v1/events/stream; goes on after the last position when the connection breaks. */
export async function* eventStream(
  connection: ConnectionOptions,
  filter: FeedFilter,
): AsyncIterable<FeedEvent> {
  const { after, signal, ...query } = filter;
  let position = after;
  let failures = 0;
  while (!signal?.aborted) {
    try {
      for await (const message of connect(connection, { ...query, after: position }, signal)) {
        failures = 0;
        position = message.id;
        if (message.data) yield { position, event: JSON.parse(message.data) };
      }
    } catch (error) {
      if (signal?.aborted) return;
      if (error instanceof JobsApiError && error.status < 500) throw error;
    }
    failures += 1;
    await pause(Math.min(5_000, 100 * 2 ** failures), signal).catch(() => {});
  }
}

interface Message {
  readonly id: string;
  readonly data: string;
}

async function* connect(
  connection: ConnectionOptions,
  query: Record<string, string | readonly string[] | undefined>,
  signal: AbortSignal | undefined,
): AsyncIterable<Message> {
  const silence = new AbortController();
  let timer = setTimeout(() => silence.abort(), SILENCE_MS);
  const call = {
    method: 'GET',
    path: '/v1/events/stream',
    query,
    headers: { accept: 'text/event-stream' },
    signal: signal ? AbortSignal.any([signal, silence.signal]) : silence.signal,
    // The answer never ends; silence is what has a limit.
    waitMs: 2 ** 30,
  } as const;
  try {
    const response = await send(connection, call);
    if (!response.body) return;
    let text = '';
    for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(), SILENCE_MS);
      text += chunk;
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        const message = parse(text.slice(0, end));
        text = text.slice(end + 2);
        if (message) yield message;
      }
    }
  } finally {
    clearTimeout(timer);
    silence.abort();
  }
}

/** One event of the stream (HTML standard, 9.2.6); undefined for comments and for events that carry no data of ours. */
function parse(block: string): Message | undefined {
  const fields = new Map<string, string>();
  for (const line of block.split('\n')) {
    const colon = line.indexOf(':');
    if (colon <= 0) continue;
    const name = line.slice(0, colon);
    const value = line.slice(colon + 1).replace(/^ /, '');
    fields.set(name, name === 'data' && fields.has('data') ? `${fields.get('data')}\n${value}` : value);
  }
  const id = fields.get('id');
  if (id === undefined) return undefined;
  return { id, data: fields.get('event')?.startsWith('eventzr.') ? (fields.get('data') ?? '') : '' };
}
