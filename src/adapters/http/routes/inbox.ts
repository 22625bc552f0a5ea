import { isUtf8 } from 'node:buffer';
import type { FastifyRequest } from 'fastify';
import type { InboxDeadLetter as Letter } from '../../../commands/inbound/inbox-dead-letters.ts';
import { fromDeadLetter } from '../../kafka/inbox-message.ts';
import { contentAt } from '../body-content.ts';
import { platformScopeOf, workerContextOf } from '../caller.ts';
import {
  consumerGroupList,
  editInboxDeadLetterRequest,
  eventsReceived,
  type InboxDeadLetter,
  inboxDeadLetterPage,
  inboxDeadLetterParams,
  inboxDeadLetter as inboxDeadLetterSchema,
  listInboxDeadLettersQuery,
  replayInboxDeadLetterRequest,
} from '../contract/inbound.ts';
import { receivedOf } from '../inbound-outcome.ts';
import { HttpProblem } from '../problems.ts';
import { formatOptionalTime, formatTime } from '../rfc3339.ts';
import type { App, ServerParts } from '../server-parts.ts';
import { answers } from './describe.ts';
import { pageView } from './page.ts';

const TAGS = ['inbox'];
const ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export function inboxRoutes(app: App, { inbound, limits }: ServerParts): void {
  const find = async (request: FastifyRequest, id: string): Promise<Letter> => {
    const found = await inbound.deadLetters.get(id, platformScopeOf(request));
    if (!found) throw NOT_FOUND();
    return found;
  };
  const edit = async (request: FastifyRequest, id: string, payload: unknown): Promise<Letter> => {
    const value = Buffer.from(contentAt(request, '/payload', payload, limits.contentBytes) ?? '');
    const by = workerContextOf(request).actor.id;
    const edited = await inbound.deadLetters.edit(id, platformScopeOf(request), { value, by });
    if (!edited) throw NOT_FOUND();
    return edited;
  };

  app.get(
    '/v1/consumers',
    {
      config: { permission: 'read_platform' },
      schema: {
        operationId: 'listConsumers',
        summary: 'Consumer groups of the inbox and how far they are behind',
        tags: TAGS,
        response: answers({ 200: consumerGroupList }),
      },
    },
    async () => ({ data: await inbound.consumers() }),
  );

  app.get(
    '/v1/inbox/dead-letters',
    {
      config: { permission: 'read' },
      schema: {
        operationId: 'listInboxDeadLetters',
        summary: 'Messages that nothing could be made of, newest first',
        tags: TAGS,
        querystring: listInboxDeadLettersQuery,
        response: answers({ 200: inboxDeadLetterPage }, 'invalid-cursor'),
      },
    },
    async (request, reply) => {
      const { limit, cursor: before, ...filter } = request.query;
      if (before !== undefined && !ID.test(before)) throw new HttpProblem('invalid-cursor');
      const page = { limit: limit + 1, before };
      const found = await inbound.deadLetters.list(platformScopeOf(request), filter, page);
      const rows = found.slice(0, limit);
      const nextCursor = found.length > limit ? (rows.at(-1)?.id ?? null) : null;
      return pageView({ rows, nextCursor, prevCursor: null }, view, request, reply);
    },
  );

  app.get(
    '/v1/inbox/dead-letters/:id',
    {
      config: { permission: 'read' },
      schema: {
        operationId: 'getInboxDeadLetter',
        summary: 'One of them',
        tags: TAGS,
        params: inboxDeadLetterParams,
        response: answers({ 200: inboxDeadLetterSchema }, 'not-found'),
      },
    },
    async (request) => view(await find(request, request.params.id)),
  );

  app.patch(
    '/v1/inbox/dead-letters/:id',
    {
      config: { permission: 'operate' },
      schema: {
        operationId: 'editInboxDeadLetter',
        summary: 'Correct a message before it is replayed',
        tags: TAGS,
        params: inboxDeadLetterParams,
        body: editInboxDeadLetterRequest,
        response: answers({ 200: inboxDeadLetterSchema }, 'malformed-json', 'payload-too-large', 'not-found'),
      },
    },
    async (request) => view(await edit(request, request.params.id, request.body.payload)),
  );

  app.post(
    '/v1/inbox/dead-letters/:id/replay',
    {
      config: { permission: 'operate', bodyOptional: true },
      schema: {
        operationId: 'replayInboxDeadLetter',
        summary: 'Carry a message out now, edited or not',
        description: 'Only here: other consumers of its topic do not get it again. It has its effect once.',
        tags: TAGS,
        params: inboxDeadLetterParams,
        body: replayInboxDeadLetterRequest,
        response: answers(
          { 200: eventsReceived },
          'malformed-json',
          'payload-too-large',
          'not-found',
          'job-not-found',
          'plan-not-found',
          'tenant-paused',
          'quota-exceeded',
        ),
      },
    },
    async (request) => {
      const { payload } = request.body;
      const { id } = request.params;
      const letter = payload === undefined ? await find(request, id) : await edit(request, id, payload);
      const { actor, correlationId } = workerContextOf(request);
      const tenantId = platformScopeOf(request) ?? undefined;
      const caller = { actor, correlationId, tenantId, atomic: true };
      const received = receivedOf(await inbound.handle([fromDeadLetter(letter)], caller));
      if (received.accepted + received.duplicates > 0) await inbound.deadLetters.replayed(id, actor.id);
      return received;
    },
  );
}

const NOT_FOUND = () => new HttpProblem('not-found', 'no such message waits');

function view({ value, sentAt, failedAt, editedAt, replayedAt, ...rest }: Letter): InboxDeadLetter {
  const encoding = isUtf8(value) ? 'utf8' : 'base64';
  return {
    ...rest,
    faults: rest.faults && [...rest.faults],
    headers: { ...rest.headers },
    payload: Buffer.from(value).toString(encoding),
    encoding,
    sentAt: formatTime(sentAt),
    failedAt: formatTime(failedAt),
    editedAt: formatOptionalTime(editedAt),
    replayedAt: formatOptionalTime(replayedAt),
  };
}
