import type { EventMetadata } from '../domain/metadata.ts';
import type { TenantQuotaCommand, TenantQuotaRejection } from '../domain/tenant-quota/commands.ts';
import { tenantQuotaDecider } from '../domain/tenant-quota/decider.ts';
import type { TenantQuotaEvent } from '../domain/tenant-quota/events.ts';
import type { TenantQuota } from '../domain/tenant-quota/state.ts';
import { quotaStream } from '../domain/tenant-quota/stream.ts';
import type { Handled, Known } from './handle.ts';
import { type EventLog, NO_STREAM } from './ports.ts';
import { tenantQuotaCodec } from './tenant-quota-codec.ts';

export type KnownQuota = Known<TenantQuota | undefined>;

export type HandledQuota = Handled<TenantQuota | undefined, TenantQuotaEvent, TenantQuotaRejection>;

/** One command on the quota of the metadata's tenant. */
export interface QuotaWork {
  readonly command: TenantQuotaCommand;
  readonly metadata: EventMetadata;
  /** What the caller believes; saves reading. Proven by the append, or by reading before it answers without one. */
  readonly assume?: KnownQuota | undefined;
  readonly onlyAtRevision?: number | undefined;
}

export interface QuotaHandler {
  load(tenantId: string): Promise<KnownQuota>;
  handle(work: QuotaWork): Promise<HandledQuota>;
  /** One try, on what the caller believes: a conflict when that is not how the stream ends. */
  attempt(work: QuotaWork & { readonly assume: KnownQuota }): Promise<HandledQuota | Conflict>;
}

export interface Conflict {
  readonly kind: 'conflict';
}

const MAX_TRIES = 8;

/** load → decide → append for streams of which the last event says everything, however long they are. */
export function createQuotaHandler(log: EventLog): QuotaHandler {
  const load = async (tenantId: string): Promise<KnownQuota> => {
    const stream = quotaStream(tenantId);
    const [last] = await log.readStream(stream, { direction: 'backwards', limit: 1 });
    if (!last) return { state: tenantQuotaDecider.initial(), revision: NO_STREAM };
    const event = tenantQuotaCodec.decode(last);
    if (!event) throw new Error(`${stream}@${last.revision}: unknown event ${last.type}`);
    const state = tenantQuotaDecider.evolve(undefined, event, last.metadata.occurredAt);
    return { state, revision: last.revision };
  };

  const attempt: QuotaHandler['attempt'] = async ({ command, metadata, assume, onlyAtRevision }) => {
    const { state, revision } = assume;
    if (onlyAtRevision !== undefined && onlyAtRevision !== revision)
      return { kind: 'revision_mismatch', state, revision };
    const decision = tenantQuotaDecider.decide(command, state);
    if (decision.kind === 'rejected') return { kind: 'rejected', reason: decision.reason, state, revision };
    const { events } = decision;
    const [last] = events.slice(-1);
    if (!last) return { kind: 'accepted', events, state, revision };
    const [outcome] = await log.append([
      {
        stream: quotaStream(metadata.tenantId),
        expectedRevision: revision,
        events: events.map((event) => tenantQuotaCodec.encode(event, metadata)),
      },
    ]);
    if (!outcome) throw new Error('the log left an append unanswered');
    if (outcome.kind === 'conflict') return outcome;
    const after = tenantQuotaDecider.evolve(state, last, metadata.occurredAt);
    return {
      kind: 'accepted',
      events,
      state: after,
      revision: outcome.revision,
      position: outcome.position,
    };
  };

  const handle: QuotaHandler['handle'] = async (work) => {
    const { tenantId } = work.metadata;
    let known = work.assume;
    for (let tries = 0; tries < MAX_TRIES; tries += 1) {
      const fresh = known === undefined;
      const assume = known ?? (await load(tenantId));
      const answer = await attempt({ ...work, assume });
      known = undefined;
      if (answer.kind === 'conflict') continue;
      const wrote = answer.kind === 'accepted' && answer.events.length > 0;
      if (wrote || fresh) return answer;
    }
    return { kind: 'contended' };
  };

  return { load, attempt, handle };
}
