import type { CallContext } from '../../src/commands/call-context.ts';
import type { EnqueueRequest } from '../../src/commands/use-cases.ts';
import { asJsonText } from '../../src/domain/json-text.ts';

export const caller = (tenantId = 'acme'): CallContext => ({
  tenantId,
  actor: { id: 'tester', auth: 'in_process' },
  correlationId: 'corr-1',
});

export const jobRequest = (request: Partial<EnqueueRequest> = {}): EnqueueRequest => ({
  type: 'email.send',
  payload: asJsonText('{"to":"ann"}'),
  ...request,
});
