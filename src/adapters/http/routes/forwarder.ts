import { forwarder } from '../contract/forwarder.ts';
import { formatTime } from '../rfc3339.ts';
import type { App, ServerParts } from '../server-parts.ts';
import { answers } from './describe.ts';

export function forwarderRoutes(app: App, { forwarderStatus }: ServerParts): void {
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
    async () => {
      const { position, head, lagMs, lastError, ...rest } = await forwarderStatus.read();
      return {
        ...rest,
        position: String(position),
        head: String(head),
        lagMs: Math.round(lagMs),
        lastError: lastError && { ...lastError, at: formatTime(lastError.at) },
      };
    },
  );
}
