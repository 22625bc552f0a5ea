import type { ForwarderState } from '../../postgres/forwarder-status.ts';
import { forwarder } from '../contract/forwarder.ts';
import { formatTime } from '../rfc3339.ts';
import type { App, ServerParts } from '../server-parts.ts';
import { answers } from './describe.ts';

export function forwarderRoutes(app: App, { forwarderStatus, outbox, outboxStatus }: ServerParts): void {
  app.get(
    '/v1/forwarder',
    {
      config: { permission: 'read_platform' },
      schema: {
        operationId: 'getForwarder',
        summary: 'How far the feed to Kafka is, and what holds it up',
        tags: ['events'],
        response: answers({ 200: forwarder }),
      },
    },
    async () => ({
      ...stateView(await forwarderStatus.read()),
      outbox: outbox ? stateView(await outboxStatus.read()) : null,
    }),
  );
}

const stateView = ({ position, head, lagMs, lastError, ...rest }: ForwarderState) => ({
  ...rest,
  position: String(position),
  head: String(head),
  lagMs: Math.round(lagMs),
  lastError: lastError && { ...lastError, at: formatTime(lastError.at) },
});
