import type { Actor } from '../../domain/metadata.ts';
import type { CallContext } from '../call-context.ts';
import { DEFAULT_MAX_PAYLOAD_BYTES } from '../job-limits.ts';
import type { Clock, Ids } from '../ports.ts';
import { type Metrics, noMetrics } from '../telemetry.ts';
import { type AdmitJobsDeps, admitJobs } from './admit-jobs.ts';
import { type CarryOutDeps, carryOut } from './carry-out.ts';
import { type InboundEvent, type InboundMessage, InvalidMessageError } from './inbound-event.ts';
import type { LedgerJob } from './inbox-ledger.ts';
import { parseMessage } from './parse-message.ts';
import { type InboundEffect, matchesTopic, planEffects } from './plan-effects.ts';
import type { Subscription } from './subscription.ts';

export interface InboundDeps extends CarryOutDeps, AdmitJobsDeps {
  readonly subscriptions: { current(): Promise<readonly Subscription[]> };
  readonly clock: Clock;
  readonly ids: Ids;
  readonly maxPayloadBytes?: number | undefined;
  readonly metrics?: Metrics | undefined;
  /** Trouble that says nothing about the message: the whole call rejects, to be tried again. */
  readonly isPassing: (error: unknown) => boolean;
  /** Jobs have been staged. */
  readonly staged: () => void;
}

export interface Received {
  /** Effects that happened now. */
  readonly accepted: number;
  /** Effects that had happened before. */
  readonly duplicates: number;
  /** Events that no subscription is about, and effects that something that happened later has made void. */
  readonly ignored: number;
}

export type InboundOutcome =
  | ({ readonly kind: 'done' } & Received)
  | {
      readonly kind: 'invalid';
      readonly error: InvalidMessageError;
      /** All subscriptions to the topic say so. */
      readonly discard: boolean;
      readonly tenantId: string | undefined;
    }
  /** May be better next time. */
  | { readonly kind: 'failed'; readonly error: Error; readonly tenantId: string | undefined };

export interface InboundCaller {
  readonly actor: Actor;
  /** Known from a credential: all events are of this tenant. */
  readonly tenantId?: string | undefined;
  /** The credential is one of the platform: its events may change tenants. */
  readonly isPlatform?: boolean | undefined;
  readonly correlationId?: string | undefined;
  /** Nothing happens unless all messages are valid. */
  readonly atomic?: boolean | undefined;
}

/** Outcomes in the order of the messages. Rejects only with passing trouble; repeating the call is safe. */
export type HandleEvents = (
  messages: readonly InboundMessage[],
  caller: InboundCaller,
) => Promise<readonly InboundOutcome[]>;

interface Plan {
  readonly events: readonly InboundEvent[];
  readonly effects: readonly InboundEffect[];
  readonly ignored: number;
}

/**
 * Carries out what events of other services mean here. Each effect happens once for each dedupe id: a ledger remembers
 * it in the transaction that has the effect.
 */
export function createHandleEvents(deps: InboundDeps): HandleEvents {
  const { clock, maxPayloadBytes = DEFAULT_MAX_PAYLOAD_BYTES, metrics = noMetrics, isPassing } = deps;

  const plan = (
    message: InboundMessage,
    subscriptions: readonly Subscription[],
    caller: InboundCaller,
  ): Plan | InboundOutcome => {
    let tenantId = caller.tenantId;
    try {
      const events = parseMessage(message);
      tenantId ??= events[0]?.tenantId;
      const { isPlatform } = caller;
      const options = {
        subscriptions,
        tenantId: caller.tenantId,
        isPlatform,
        now: clock.now(),
        maxPayloadBytes,
      };
      const planned = events.map((event) => planEffects(event, options));
      const ignored = planned.filter((effects) => effects.length === 0).length;
      return { events, effects: planned.flat(), ignored };
    } catch (error) {
      // A bug of ours must not hold up those behind.
      if (!(error instanceof InvalidMessageError)) return { kind: 'failed', error: asError(error), tenantId };
      const about = subscriptions.filter((one) => matchesTopic(one, message.topic ?? ''));
      const discard = about.length > 0 && about.every(({ invalid }) => invalid === 'discard');
      return { kind: 'invalid', error, discard, tenantId };
    }
  };

  return async (messages, caller) => {
    const subscriptions = await deps.subscriptions.current();
    const plans = messages.map((message) => plan(message, subscriptions, caller));
    if (caller.atomic && plans.some((one) => 'kind' in one)) {
      return plans.map((one) => ('kind' in one ? one : NOTHING));
    }
    const staged = await stageAll(deps, plans, caller);
    const outcomes: InboundOutcome[] = [];
    for (const [index, one] of plans.entries()) {
      outcomes.push('kind' in one ? one : await finish(deps, one, staged[index], caller));
    }
    report(metrics, outcomes);
    return outcomes;
  };

  async function finish(
    deps: InboundDeps,
    { events, effects, ignored }: Plan,
    staged: readonly boolean[] | Error | undefined,
    caller: InboundCaller,
  ): Promise<InboundOutcome> {
    const tenantId = effects[0]?.tenantId ?? events[0]?.tenantId;
    if (staged instanceof Error) return { kind: 'failed', error: staged, tenantId };
    const counts = { done: staged?.filter(Boolean).length ?? 0, outdated: 0, duplicate: 0 };
    try {
      for (const effect of effects) {
        const { action } = effect;
        if (action.kind === 'enqueue') continue;
        counts[await carryOut(deps, effect, action, contextOf(effect, caller))] += 1;
      }
    } catch (error) {
      if (isPassing(error)) throw error;
      return { kind: 'failed', error: asError(error), tenantId };
    }
    const { done: accepted, outdated } = counts;
    const duplicates = effects.length - accepted - outdated;
    return { kind: 'done', accepted, duplicates, ignored: ignored + outdated };
  }
}

const NOTHING: InboundOutcome = { kind: 'done', accepted: 0, duplicates: 0, ignored: 0 };

/** One transaction for all; only when it fails for a reason of its own, one for each message. */
async function stageAll(
  deps: InboundDeps,
  plans: readonly (Plan | InboundOutcome)[],
  caller: InboundCaller,
): Promise<readonly (readonly boolean[] | Error)[]> {
  const { ids, ledger, isPassing, staged } = deps;
  const jobs = plans.map((one) =>
    'kind' in one
      ? []
      : one.effects.flatMap((effect): LedgerJob[] => {
          const { subscription, tenantId, dedupeId, action } = effect;
          if (action.kind !== 'enqueue') return [];
          const { request } = action;
          const context = contextOf(effect, caller);
          return [{ subscription, tenantId, dedupeId, context, commandId: ids.next(), request }];
        }),
  );
  const all = jobs.flat();
  if (all.length === 0) return jobs.map(() => []);
  const letIn = await admitJobs(deps, all);
  try {
    const isNew = (await ledger.stage(all, letIn)).values();
    return jobs.map((own) => own.map(() => isNew.next().value ?? false));
  } catch (error) {
    if (isPassing(error)) throw error;
    if (jobs.length === 1) return [asError(error)];
  } finally {
    staged();
  }
  const results: (readonly boolean[] | Error)[] = [];
  for (const own of jobs) {
    try {
      results.push(own.length > 0 ? await ledger.stage(own, letIn) : []);
    } catch (error) {
      if (isPassing(error)) throw error;
      results.push(asError(error));
    }
  }
  staged();
  return results;
}

function contextOf({ tenantId, event }: InboundEffect, { actor, correlationId }: InboundCaller): CallContext {
  return {
    tenantId,
    actor,
    correlationId: event.correlationId ?? correlationId ?? event.eventId,
    ...(event.traceparent !== undefined && { traceparent: event.traceparent }),
  };
}

function report(metrics: Metrics, outcomes: readonly InboundOutcome[]): void {
  const counts = { accepted: 0, duplicates: 0, ignored: 0, invalid: 0, failed: 0 };
  for (const outcome of outcomes) {
    if (outcome.kind !== 'done') counts[outcome.kind] += 1;
    else {
      counts.accepted += outcome.accepted;
      counts.duplicates += outcome.duplicates;
      counts.ignored += outcome.ignored;
    }
  }
  for (const [result, count] of Object.entries(counts)) {
    if (count > 0) metrics.count('inbox_events_total', count, { result });
  }
}

const asError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)));
