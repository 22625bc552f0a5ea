import type { TenantQuotaCommand } from '../domain/tenant-quota/commands.ts';
import { quotaStream } from '../domain/tenant-quota/stream.ts';
import type { CallContext } from './call-context.ts';
import { ContendedError } from './contended-error.ts';
import { commandMetadataFor } from './metadata-for.ts';
import type { Clock, EventLog, Ids } from './ports.ts';
import { createQuotaHandler, type KnownQuota } from './quota-handler.ts';
import { assertTenantId } from './tenant-id.ts';
import type { OnRevision, QuotaChanged, QuotaRefused } from './use-cases.ts';

export interface ChangeQuotaDeps {
  readonly log: EventLog;
  readonly clock: Clock;
  readonly ids: Ids;
  /** Told what a tenant's quota is now, so that this process acts by it at once. */
  readonly changed?: ((tenantId: string, known: KnownQuota) => void) | undefined;
}

/** Carries out a person's command on one tenant's quota. Throws ContendedError. */
export type ChangeQuota = (
  context: CallContext,
  request: OnRevision,
  commandAt: (now: number) => TenantQuotaCommand,
) => Promise<QuotaChanged | QuotaRefused>;

export function createChangeQuota({ log, clock, ids, changed }: ChangeQuotaDeps): ChangeQuota {
  const handler = createQuotaHandler(log);

  return async (context, { expectedRevision }, commandAt) => {
    const { tenantId } = context;
    assertTenantId(tenantId);
    const now = clock.now();
    const metadata = commandMetadataFor(context, now, ids.next());
    const answer = await handler.handle({
      command: commandAt(now),
      metadata,
      onlyAtRevision: expectedRevision,
    });
    switch (answer.kind) {
      case 'accepted': {
        const { state, revision, position } = answer;
        changed?.(tenantId, { state, revision });
        return { kind: 'changed', quota: state, revision, position };
      }
      case 'revision_mismatch':
        return { kind: 'refused', reason: 'revision_mismatch' };
      case 'unreadable':
        throw answer.error;
      default:
        throw new ContendedError(quotaStream(tenantId));
    }
  };
}
