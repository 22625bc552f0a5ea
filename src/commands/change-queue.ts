import type { QueueCommand } from '../domain/queue/commands.ts';
import { queueDecider } from '../domain/queue/decider.ts';
import { queueStream } from '../domain/queue/stream.ts';
import type { CallContext } from './call-context.ts';
import { ContendedError } from './contended-error.ts';
import { Handler } from './handle.ts';
import { commandMetadataFor } from './metadata-for.ts';
import { type Clock, type EventLog, type Ids, NO_STREAM, type Position } from './ports.ts';
import { queueCodec } from './queue-codec.ts';
import type { QueueSettings } from './ready-queue.ts';
import { assertTenantId } from './tenant-id.ts';

export interface ChangeQueueDeps {
  readonly log: EventLog;
  readonly clock: Clock;
  readonly ids: Ids;
  /** Told what a queue is now, before the caller is answered; also when it was so already: telling may have failed. */
  readonly changed?: ((settings: QueueSettings) => Promise<void>) | undefined;
}

/** Carries out one command on one queue; no position when it was so already. Throws ContendedError. */
export type ChangeQueue = (
  context: CallContext,
  queue: string,
  commandAt: (now: number) => QueueCommand,
) => Promise<{ readonly position?: Position | undefined }>;

export function createChangeQueue({ log, clock, ids, changed }: ChangeQueueDeps): ChangeQueue {
  const handler = new Handler(log, queueDecider, queueCodec);

  return async (context, queue, commandAt) => {
    assertTenantId(context.tenantId);
    const now = clock.now();
    const stream = queueStream(context.tenantId, queue);
    const metadata = commandMetadataFor(context, now, ids.next());
    const [answer] = await handler.handle([{ stream, command: commandAt(now), metadata }]);
    if (answer?.kind === 'unreadable') throw answer.error;
    if (answer?.kind !== 'accepted') throw new ContendedError(stream);
    const { state, revision, position } = answer;
    if (revision !== NO_STREAM) await changed?.({ tenantId: context.tenantId, queue, state, revision });
    return { position };
  };
}
