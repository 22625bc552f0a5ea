import { randomUUID } from 'node:crypto';
import {
  type EventLog,
  LOG_START,
  type LogFilter,
  type LogPage,
  type NewEvent,
  type Position,
  type StoredEvent,
} from '../../src/commands/ports.ts';
import { waitUntil } from '../support/wait-until.ts';

export function newEvent(
  fields: Partial<Omit<NewEvent, 'metadata'>> & { readonly causationId?: string } = {},
): NewEvent {
  const { causationId = randomUUID(), ...event } = fields;
  return {
    type: 'SomethingHappened',
    schemaVersion: 1,
    data: '{"what":"something"}',
    metadata: {
      tenantId: 'a',
      actor: { id: 'tester', auth: 'in_process' },
      correlationId: 'correlation-1',
      causationId,
      occurredAt: 1_700_000_000_000,
    },
    ...event,
  };
}

/** Events of one command. */
export function newEvents(count: number, fields: Parameters<typeof newEvent>[0] = {}): NewEvent[] {
  const causationId = fields.causationId ?? randomUUID();
  return Array.from({ length: count }, () => newEvent({ ...fields, causationId }));
}

/** Names whose order is not the order of their numbers. */
export const streamName = (index: number): string => `job-a.${((index * 7_919) % 100_003).toString(36)}`;

/** All that is in the log: `atLeast` so many events, for readers may be a moment behind writers that were just at it. */
export function readAll(log: EventLog, atLeast = 0): Promise<readonly StoredEvent[]> {
  const events: StoredEvent[] = [];
  let position = LOG_START;
  return waitUntil(`${atLeast} events can be read`, async () => {
    for (;;) {
      const page = await log.readLog(position, 1_000);
      events.push(...page.events);
      position = page.position;
      if (page.caughtUp) return events.length >= atLeast && events;
    }
  });
}

export interface Collector extends AsyncDisposable {
  readonly events: readonly StoredEvent[];
  readonly pages: readonly LogPage[];
  readonly ended: boolean;
  count(events: number): Promise<unknown>;
  caughtUp(): Promise<unknown>;
  position(position: Position): Promise<unknown>;
}

/** A subscriber that keeps all it is given until it is disposed of. */
export function collect(
  log: EventLog,
  after: Position,
  options: LogFilter & { readonly pageSize?: number } = {},
): Collector {
  const stop = new AbortController();
  const events: StoredEvent[] = [];
  const pages: LogPage[] = [];
  let ended = false;
  const done = (async () => {
    for await (const page of log.subscribe(after, { ...options, signal: stop.signal })) {
      pages.push(page);
      events.push(...page.events);
    }
    ended = true;
  })();
  return {
    events,
    pages,
    get ended() {
      return ended;
    },
    count: (wanted) => waitUntil(`${wanted} events were delivered`, () => events.length >= wanted),
    caughtUp: () =>
      waitUntil('the subscription is caught up', () => pages.some((page) => page.events.length === 0)),
    position: (wanted) =>
      waitUntil(`position ${wanted} is reached`, () => (pages.at(-1)?.position ?? LOG_START) >= wanted),
    async [Symbol.asyncDispose]() {
      stop.abort();
      await done;
    },
  };
}
