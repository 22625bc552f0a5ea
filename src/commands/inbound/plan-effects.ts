import { hash } from 'node:crypto';
import { asJsonText } from '../../domain/json-text.ts';
import { isJobId } from '../job-id.ts';
import { refusalOf } from '../job-limits.ts';
import { assertWellFormed, InvalidJobError } from '../job-request.ts';
import type { StagedRequest } from '../staged-jobs.ts';
import { type InboundEvent, InvalidMessageError } from './inbound-event.ts';
import { fillTemplate, pathRoot, valueAt } from './json-path.ts';
import { planTenantChange } from './plan-tenant-change.ts';
import { fitsPattern, type Subscription, type SubscriptionAction } from './subscription.ts';
import { isTenantAction, type TenantChange } from './tenant-action.ts';

/** What one event causes by one subscription. */
export interface InboundEffect {
  readonly subscription: string;
  readonly tenantId: string;
  /** The effect happens once for each of these of a tenant and subscription. */
  readonly dedupeId: string;
  readonly event: InboundEvent;
  readonly action:
    | { readonly kind: 'enqueue'; readonly request: StagedRequest }
    | { readonly kind: 'cancel' | 'retry'; readonly jobId: string }
    | { readonly kind: 'tenant'; readonly change: TenantChange };
}

export interface PlanOptions {
  readonly subscriptions: readonly Subscription[];
  /** Known from a credential: events of other tenants are refused. */
  readonly tenantId?: string | undefined;
  /** The credential is of the platform: its events may change tenants. So may events without a credential. */
  readonly isPlatform?: boolean | undefined;
  readonly now: number;
  readonly maxPayloadBytes: number;
}

const TENANT = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;
const MOST_ID_LENGTH = 700;

/** What the event is to cause; nothing when no subscription is about it. Throws InvalidMessageError. */
export function planEffects(event: InboundEvent, options: PlanOptions): readonly InboundEffect[] {
  const { tenantId: caller } = options;
  if (caller !== undefined && event.tenantId !== undefined && event.tenantId !== caller) {
    throw new InvalidMessageError([{ path: '', message: 'its tenant is not the tenant of the credential' }]);
  }
  let root: Readonly<Record<string, unknown>> | undefined;
  const rootOf = () => {
    root ??= pathRoot(event);
    return root;
  };
  return options.subscriptions
    .filter((subscription) => isAbout(subscription, event, caller) && mayChange(subscription, options))
    .map((subscription) => {
      const tenantId = caller ?? tenantOf(subscription, event, rootOf);
      const dedupeId =
        subscription.dedupeId === undefined
          ? event.identity
          : scalar(subscription, 'dedupeId', subscription.dedupeId, rootOf());
      if (dedupeId.length > MOST_ID_LENGTH) throw invalid(subscription.name, 'the dedupe id is too long');
      const action = actionOf({ subscription, tenantId, dedupeId, event, rootOf }, options);
      return { subscription: subscription.name, tenantId, dedupeId, event, action };
    });
}

export const matchesTopic = ({ topic }: Subscription, name: string): boolean => fitsPattern(topic, name);

/** The job that a subscription creates for a dedupe id of a tenant: always the same one. */
export function inboundJobId(subscription: string, tenantId: string, dedupeId: string): string {
  const hex = hash('sha256', `${tenantId} ${subscription} ${dedupeId}`, 'hex');
  const variant = ((Number.parseInt(hex.slice(16, 17), 16) & 0x3) | 0x8).toString(16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

function isAbout(
  { topic, types, tenantId }: Subscription,
  event: InboundEvent,
  caller: string | undefined,
): boolean {
  // A tenant's own subscription must not see what others send, nor what belongs to nobody.
  if (tenantId !== null && tenantId !== (caller ?? event.tenantId)) return false;
  if (!fitsPattern(topic, event.message.topic)) return false;
  return types === undefined || types.some((type) => fitsPattern(type, event.type));
}

/** A tenant must not raise its own limits, neither by an event nor by a subscription. */
const mayChange = ({ tenantId, action }: Subscription, caller: PlanOptions): boolean =>
  !isTenantAction(action) ||
  (tenantId === null && (caller.tenantId === undefined || caller.isPlatform === true));

type RootOf = () => Readonly<Record<string, unknown>>;

function tenantOf(
  { name, tenant, tenantId: owner }: Subscription,
  event: InboundEvent,
  rootOf: RootOf,
): string {
  if (owner !== null) return owner;
  const found = tenant?.startsWith('$') ? valueAt(rootOf(), tenant) : (tenant ?? event.tenantId);
  if (typeof found === 'string' && TENANT.test(found)) return found;
  const where = tenant?.startsWith('$') ? tenant : 'the envelope';
  throw invalid(name, found === undefined ? `${where} names no tenant` : `${where} is no tenant id`);
}

interface Planned {
  readonly subscription: Subscription;
  readonly tenantId: string;
  readonly dedupeId: string;
  readonly event: InboundEvent;
  readonly rootOf: RootOf;
}

function actionOf(planned: Planned, options: PlanOptions): InboundEffect['action'] {
  const { subscription, tenantId, rootOf } = planned;
  const { action } = subscription;
  if (action.kind === 'enqueue') return { kind: 'enqueue', request: jobOf(planned, action, options) };
  if (isTenantAction(action)) {
    const change = planTenantChange(action, rootOf());
    if (typeof change === 'string') throw invalid(subscription.name, change);
    return { kind: 'tenant', change };
  }
  const { job } = action;
  if (typeof job !== 'string') {
    const dedupeId = scalar(subscription, 'job', job.dedupeId, rootOf());
    return { kind: action.kind, jobId: inboundJobId(job.subscription, tenantId, dedupeId) };
  }
  const jobId = scalar(subscription, 'job', job, rootOf());
  if (!isJobId(jobId)) throw invalid(subscription.name, `${job} is not the id of a job`);
  return { kind: action.kind, jobId };
}

function jobOf(
  { subscription, tenantId, dedupeId, event, rootOf }: Planned,
  action: SubscriptionAction & { readonly kind: 'enqueue' },
  { now, maxPayloadBytes }: PlanOptions,
): StagedRequest {
  const text = (part: 'type' | 'queue' | 'dedupeKey'): string | undefined => {
    const given = action[part];
    return given?.startsWith('$') ? scalar(subscription, part, given, rootOf()) : given;
  };
  const payload =
    action.payload === undefined || action.payload === '$.data'
      ? event.data
      : asJsonText(JSON.stringify(fillTemplate(action.payload, rootOf()) ?? null));
  const request: StagedRequest = {
    jobId: inboundJobId(subscription.name, tenantId, dedupeId),
    type: text('type') ?? '',
    payload,
    queue: text('queue'),
    dedupeKey: text('dedupeKey'),
    priority:
      typeof action.priority === 'string'
        ? Number(scalar(subscription, 'priority', action.priority, rootOf()))
        : action.priority,
    runAt: action.runAt === undefined ? undefined : timeAt(subscription, action.runAt, rootOf()),
    maxAttempts: action.maxAttempts,
    tags: action.tags,
  };
  try {
    assertWellFormed(request, 0);
  } catch (error) {
    if (error instanceof InvalidJobError) throw invalid(subscription.name, error.message);
    throw error;
  }
  const refusal = refusalOf(request, now, maxPayloadBytes);
  if (refusal) throw invalid(subscription.name, refusal);
  return request;
}

function scalar({ name }: Subscription, part: string, path: string, root: unknown): string {
  const value = valueAt(root, path);
  if (typeof value === 'string' && value !== '') return value;
  if (typeof value === 'number' || typeof value === 'boolean' || isRawNumber(value)) {
    return JSON.stringify(value);
  }
  throw invalid(name, `${part}: ${path} leads to no text or number`);
}

function timeAt(subscription: Subscription, path: string, root: unknown): number {
  const value = valueAt(root, path);
  const ms = typeof value === 'string' ? Date.parse(value) : value;
  if (typeof ms === 'number' && Number.isSafeInteger(ms)) return ms;
  throw invalid(subscription.name, `runAt: ${path} leads to no time`);
}

/** What json-path.ts makes of numbers that a double can't hold. */
const isRawNumber = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === null && 'rawJSON' in value;

/** Which part of the message a rule trips over is not known: several may lead there. */
function invalid(subscription: string, message: string): InvalidMessageError {
  return new InvalidMessageError([{ path: '', message: `subscription ${subscription}: ${message}` }]);
}
