import type { ActionTaken } from '../domain/action/events.ts';
import { actionStream } from '../domain/action/stream.ts';
import { actionCodec } from './action-codec.ts';
import type { CallContext } from './call-context.ts';
import { ContendedError } from './contended-error.ts';
import { commandMetadataFor } from './metadata-for.ts';
import { type Clock, type EventLog, type Ids, NO_STREAM, type Position } from './ports.ts';

/** Notes what somebody is about to do; durable when it resolves. `tenantId` is '*' for what concerns all tenants. */
export type NoteAction = (context: CallContext, action: ActionTaken['data']) => Promise<Position>;

const MOST_TRIES = 10;

/** There is nothing to decide, so nothing is folded: the event goes behind whatever is there. */
export function createNoteAction({
  log,
  clock,
  ids,
}: {
  readonly log: EventLog;
  readonly clock: Clock;
  readonly ids: Ids;
}): NoteAction {
  return async (context, data) => {
    const stream = actionStream(context.tenantId);
    const metadata = commandMetadataFor(context, clock.now(), ids.next());
    const events = [actionCodec.encode({ type: 'ActionTaken', data }, metadata)];
    for (let tries = 0; tries < MOST_TRIES; tries += 1) {
      const [last] = await log.readStream(stream, { direction: 'backwards', limit: 1 });
      const expectedRevision = last?.revision ?? NO_STREAM;
      const [outcome] = await log.append([{ stream, expectedRevision, events }]);
      if (outcome?.kind === 'appended') return outcome.position;
    }
    throw new ContendedError(stream);
  };
}
