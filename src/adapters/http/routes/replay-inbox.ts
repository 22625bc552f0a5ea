import type { InboundOutcome } from '../../../commands/inbound/handle-events.ts';
import type { InboxDeadLetter } from '../../../commands/inbound/inbox-dead-letters.ts';
import { fromDeadLetter } from '../../kafka/inbox-message.ts';
import { platformScopeOf, scopedContextOf, workerContextOf } from '../caller.ts';
import {
  type InboxDeadLettersReplayed,
  inboxDeadLettersReplayed,
  replayInboxDeadLettersRequest,
} from '../contract/inbound.ts';
import { HttpProblem } from '../problems.ts';
import type { App, ServerParts } from '../server-parts.ts';
import { answers } from './describe.ts';

const MOST_ERRORS = 10;

export function replayInboxRoute(app: App, { inbound, access }: ServerParts): void {
  app.post(
    '/v1/inbox/dead-letters/replay',
    {
      config: { permission: 'operate' },
      schema: {
        operationId: 'replayInboxDeadLetters',
        summary: 'Carry out all messages that match, oldest first, a page with each call',
        description:
          'As if each was replayed by itself: it has its effect once, and one that comes to nothing goes on waiting. ' +
          'Messages that are put aside after the first call are left alone. A call that got no answer can be repeated.',
        tags: ['inbox'],
        body: replayInboxDeadLettersRequest,
        response: answers({ 200: inboxDeadLettersReplayed }, 'malformed-json', 'invalid-cursor'),
      },
    },
    async (request) => {
      const { filter: chosen, reason, limit, cursor } = request.body;
      const scope = platformScopeOf(request);
      const filter = { ...chosen, status: 'waiting' } as const;
      const begun = cursor === undefined ? undefined : placeOf(cursor);
      const last = begun?.last ?? (await inbound.deadLetters.list(scope, filter, { limit: 1 }))[0]?.id;
      if (last === undefined) return NOTHING;
      const span = { limit: limit + 1, after: begun?.after, last };
      const found = await inbound.deadLetters.listBetween(scope, filter, span);
      const letters = found.slice(0, limit);
      const end = letters.at(-1);
      if (!end) return NOTHING;
      await access.noteAction(scopedContextOf(request), {
        action: 'inbox.replay',
        subject: 'dead-letters',
        reason,
        details: { filter: chosen, messages: letters.length, from: letters[0]?.id, to: end.id },
      });
      const { actor, correlationId } = workerContextOf(request);
      const caller = { actor, correlationId, tenantId: scope ?? undefined };
      const outcomes = await inbound.handle(letters.map(fromDeadLetter), caller);
      const replayed = letters.filter((_, index) => hadItsEffect(outcomes[index]));
      if (replayed.length > 0)
        await inbound.deadLetters.replayed(
          replayed.map(({ id }) => id),
          actor.id,
        );
      const nextCursor = found.length > limit ? `${end.id}.${last}` : null;
      return { ...sumOf(letters, outcomes), nextCursor };
    },
  );
}

const NOTHING: InboxDeadLettersReplayed = { seen: 0, replayed: 0, left: 0, errors: [], nextCursor: null };

const ID = '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}';
const CURSOR = new RegExp(`^(${ID})\\.(${ID})$`);

function placeOf(cursor: string): { readonly after: string; readonly last: string } {
  const [, after, last] = CURSOR.exec(cursor) ?? [];
  if (after === undefined || last === undefined) throw new HttpProblem('invalid-cursor');
  return { after, last };
}

/** What no subscription is about has had none. */
const hadItsEffect = (outcome: InboundOutcome | undefined): boolean =>
  outcome?.kind === 'done' && outcome.accepted + outcome.duplicates > 0;

function sumOf(
  letters: readonly InboxDeadLetter[],
  outcomes: readonly InboundOutcome[],
): Omit<InboxDeadLettersReplayed, 'nextCursor'> {
  const left = outcomes.filter((outcome) => !hadItsEffect(outcome));
  const errors = [...Map.groupBy(left, errorOf)]
    .map(([error, { length: messages }]) => ({ error, messages }))
    .sort((one, other) => other.messages - one.messages)
    .slice(0, MOST_ERRORS);
  return { seen: letters.length, replayed: letters.length - left.length, left: left.length, errors };
}

const errorOf = (outcome: InboundOutcome): string =>
  outcome.kind === 'done' ? 'nothing became of it: no subscription is about it' : outcome.error.message;
