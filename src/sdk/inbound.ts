import type {
  ConsumerGroup,
  ConsumerGroupList,
  EventsReceived,
  InboxDeadLetter,
  InboxDeadLetterPage,
  InboxDeadLettersReplayed,
  ListInboxDeadLettersQuery,
  PutSubscriptionRequest,
  ReplayInboxDeadLettersRequest,
  Subscription,
  SubscriptionList,
} from '../adapters/http/contract/inbound.ts';
import { type Call, type ConnectionOptions, request } from './http.ts';

/** Events of other services: what they cause, and those that nothing could be made of. */
export interface InboundClient {
  /** A CloudEvent, another envelope, or a list of them. Each has its effect once. `topic`: default their type. */
  send(events: unknown, options?: { readonly topic?: string }): Promise<EventsReceived>;
  readonly subscriptions: {
    list(): Promise<readonly Subscription[]>;
    get(name: string): Promise<Subscription>;
    put(name: string, rule: PutSubscriptionRequest): Promise<Subscription>;
    remove(name: string): Promise<void>;
  };
  /** Consumer groups and how far they are behind. */
  consumers(): Promise<readonly ConsumerGroup[]>;
  readonly deadLetters: {
    /** One page, newest first. */
    list(query?: Partial<ListInboxDeadLettersQuery>): Promise<InboxDeadLetterPage>;
    get(id: string): Promise<InboxDeadLetter>;
    edit(id: string, payload: unknown): Promise<InboxDeadLetter>;
    /** Carries the message out now; `payload`: edited. */
    replay(id: string, payload?: unknown): Promise<EventsReceived>;
    /** One page of all that match, oldest first; go on with its nextCursor. */
    replayAll(order: ReplayInboxDeadLettersRequest): Promise<InboxDeadLettersReplayed>;
  };
}

export function inboundClient(connection: ConnectionOptions): InboundClient {
  const call = <Answer>(method: Call['method'], path: string, more: Partial<Call> = {}): Promise<Answer> =>
    request(connection, { method, path, ...more });
  const subscription = (name: string) => `/v1/subscriptions/${encodeURIComponent(name)}`;
  const letter = (id: string) => `/v1/inbox/dead-letters/${encodeURIComponent(id)}`;
  return {
    send: (events, { topic } = {}) => {
      const headers = { 'idempotency-key': crypto.randomUUID() };
      return call('POST', '/v1/events', { body: events, query: { topic }, headers });
    },
    subscriptions: {
      list: async () => (await call<SubscriptionList>('GET', '/v1/subscriptions')).data,
      get: (name) => call('GET', subscription(name)),
      put: (name, rule) => call('PUT', subscription(name), { body: rule }),
      remove: (name) => call('DELETE', subscription(name)),
    },
    consumers: async () => (await call<ConsumerGroupList>('GET', '/v1/consumers')).data,
    deadLetters: {
      list: (query) => call('GET', '/v1/inbox/dead-letters', { query: query as Call['query'] }),
      get: (id) => call('GET', letter(id)),
      edit: (id, payload) => call('PATCH', letter(id), { body: { payload } }),
      replay: (id, payload) =>
        call('POST', `${letter(id)}/replay`, { body: payload === undefined ? {} : { payload } }),
      replayAll: (order) => call('POST', '/v1/inbox/dead-letters/replay', { body: order }),
    },
  };
}
