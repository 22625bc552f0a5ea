import type { TenantQuotaCommand } from '../domain/tenant-quota/commands.ts';
import { sameSettings } from '../domain/tenant-quota/same-settings.ts';
import type { TenantQuota } from '../domain/tenant-quota/state.ts';
import { quotaStream } from '../domain/tenant-quota/stream.ts';
import type { CallContext } from './call-context.ts';
import { ContendedError } from './contended-error.ts';
import { commandMetadataFor } from './metadata-for.ts';
import { type Clock, type EventLog, type Ids, NO_STREAM } from './ports.ts';
import { createQuotaHandler, type KnownQuota } from './quota-handler.ts';
import { assertTenantId } from './tenant-id.ts';
import { tenantQuotaCodec } from './tenant-quota-codec.ts';
import type { OnRevision, QuotaChanged, QuotaRefused } from './use-cases.ts';

export interface ChangeQuotaDeps {
  readonly log: EventLog;
  readonly clock: Clock;
  readonly ids: Ids;
  /** Told what a tenant's quota is now, before the caller is answered; also when it was so already: telling may have failed. */
  readonly changed?: ((tenantId: string, known: KnownQuota) => void | Promise<void>) | undefined;
}

/**
 * Carries out a person's command on one tenant's quota. Reservations move the stream on all the time, so an expected revision is
 * taken as: terms and suspension are what they were then. Throws ContendedError.
 */
export type ChangeQuota = (
  context: CallContext,
  request: OnRevision,
  commandAt: (now: number) => TenantQuotaCommand,
) => Promise<QuotaChanged | QuotaRefused>;

/** A busy tenant's stream moves on twenty times a second. */
const MOST_TRIES = 50;

export function createChangeQuota({ log, clock, ids, changed }: ChangeQuotaDeps): ChangeQuota {
  const handler = createQuotaHandler(log);

  return async (context, { expectedRevision }, commandAt) => {
    const { tenantId } = context;
    assertTenantId(tenantId);
    const now = clock.now();
    const metadata = commandMetadataFor(context, now, ids.next());
    const command = commandAt(now);
    let onlyAtRevision = expectedRevision;
    let answer = await handler.handle({ command, metadata, onlyAtRevision });
    for (let tries = 1; answer.kind === 'revision_mismatch' && tries < MOST_TRIES; tries += 1) {
      const { state, revision } = answer;
      if (!(await isAsItWas(log, tenantId, expectedRevision, state))) break;
      onlyAtRevision = revision;
      answer = await handler.handle({ command, metadata, onlyAtRevision });
    }
    switch (answer.kind) {
      case 'accepted': {
        const { state, revision, position } = answer;
        await changed?.(tenantId, { state, revision });
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

async function isAsItWas(
  log: EventLog,
  tenantId: string,
  revision: number | undefined,
  now: TenantQuota | undefined,
): Promise<boolean> {
  if (revision === undefined || revision === NO_STREAM) return false;
  const [then] = await log.readStream(quotaStream(tenantId), { fromRevision: revision, limit: 1 });
  // A revision that is yet to come, or whose event is kept no more.
  if (then?.revision !== revision) return false;
  const event = tenantQuotaCodec.decode(then);
  return event !== undefined && sameSettings(event.data.after, now);
}
