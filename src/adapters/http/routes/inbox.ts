import { isUtf8 } from 'node:buffer';
import type { FastifyRequest } from 'fastify';
import type { InboxDeadLetter as Letter } from '../../../commands/inbound/inbox-dead-letters.ts';
import { fromDeadLetter } from '../../kafka/inbox-message.ts';
import { contentAt } from '../body-content.ts';
import { platformScopeOf, scopedContextOf, workerContextOf } from '../caller.ts';
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
import { REDACTED } from '../redaction.ts';
import { formatOptionalTime, formatTime } from '../rfc3339.ts';
import type { App, ServerParts } from '../server-parts.ts';
import { answers } from './describe.ts';
import { pageView } from './page.ts';

const TAGS = ['inbox'];
const ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export function inboxRoutes(app: App, { inbound, access, limits }: ServerParts): void {
  const find = async (request: FastifyRequest, id: string): Promise<Letter> => {
    const found = await inbound.deadLetters.get(id, platformScopeOf(request));
    if (!found) throw NOT_FOUND();
    return found;
  };
  const edit = async (request: FastifyRequest, id: string, payload: unknown): Promise<Letter> => {
    if (request.redaction) throw new HttpProblem('payload-redacted');
    const value = Buffer.from(contentAt(request, '/payload', payload, limits.contentBytes) ?? '');
    const by = workerContextOf(request).actor.id;
    await find(request, id);
    await access.noteAction(scopedContextOf(request), { action: 'inbox.edit', subject: id });
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
        response: answers({ 200: consumerGroupList }, 'kafka-unavailable'),
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
      const wanted = { limit: limit + 1, before };
      const found = await inbound.deadLetters.list(platformScopeOf(request), filter, wanted);
      const rows = found.slice(0, limit);
      const nextCursor = found.length > limit ? (rows.at(-1)?.id ?? null) : null;
      const page = { rows, nextCursor, prevCursor: null };
      return pageView(page, (row) => view(row, request), request, reply);
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
    async (request) => view(await find(request, request.params.id), request),
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
        response: answers(
          { 200: inboxDeadLetterSchema },
          'malformed-json',
          'payload-redacted',
          'payload-too-large',
          'not-found',
        ),
      },
    },
    async (request) => view(await edit(request, request.params.id, request.body.payload), request),
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
          'payload-redacted',
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
      await access.noteAction(scopedContextOf(request), { action: 'inbox.replay', subject: id });
      const { actor, correlationId } = workerContextOf(request);
      const tenantId = platformScopeOf(request) ?? undefined;
      const caller = { actor, correlationId, tenantId, atomic: true };
      const received = receivedOf(await inbound.handle([fromDeadLetter(letter)], caller));
      if (received.accepted + received.duplicates > 0) await inbound.deadLetters.replayed([id], actor.id);
      return received;
    },
  );
}

const NOT_FOUND = () => new HttpProblem('not-found', 'no such message waits');

/** Nobody knows where in another service's message the words are that a rule would hide: all of it is hidden. */
function view(letter: Letter, { redaction }: FastifyRequest): InboxDeadLetter {
  const { value: sent, sentAt, failedAt, editedAt, replayedAt, ...rest } = letter;
  const value = redaction ? Buffer.from(REDACTED) : sent;
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
