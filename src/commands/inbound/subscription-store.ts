import type { Subscription, SubscriptionRule } from './subscription.ts';

/** Of one tenant; every event is compared with all of them. The platform may have any number. */
export const MOST_SUBSCRIPTIONS = 100;

export interface StoredSubscription extends Subscription {
  /** From the file named in SUBSCRIPTIONS_FILE: only to be changed there. */
  readonly fromFile: boolean;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly updatedBy: string;
}

/**
 * Called when nothing can refuse the change any more and nobody sees it yet: it is made when this resolves, and only then.
 * So what was made is noted, and what was refused is not; only the end of process or database right in between leaves a
 * note of what was not made.
 */
export type NoteChange = () => Promise<unknown>;

export interface SubscriptionWrite {
  readonly name: string;
  readonly tenantId: string | null;
  readonly rule: SubscriptionRule;
  readonly by: string;
  readonly note: NoteChange;
}

export type SubscriptionRemoval = 'removed' | 'missing' | 'taken' | 'several';

/**
 * Names are each tenant's own, but one that the platform has is not free. `scope`: whose subscriptions the caller may see
 * and change; null is all of them, and then `several` tenants may have one of the name. Changes throw ContendedError when too
 * many wait.
 */
export interface SubscriptionStore {
  /** All in force, for those who carry them out; at most a second old. One of a tenant rests while the file has its name. */
  current(): Promise<readonly Subscription[]>;
  list(scope: string | null): Promise<readonly StoredSubscription[]>;
  get(name: string, scope: string | null): Promise<StoredSubscription | 'several' | undefined>;
  /** `taken`: the name is the platform's or the file's; for the platform: a tenant's. `too_many`: it would be one more than a tenant may have. */
  put(write: SubscriptionWrite): Promise<StoredSubscription | 'taken' | 'too_many'>;
  remove(name: string, scope: string | null, note: NoteChange): Promise<SubscriptionRemoval>;
  /** Makes the subscriptions of the file what is given: all of them, or only those `among` these names. */
  replaceFromFile(
    rules: ReadonlyMap<string, SubscriptionRule>,
    among?: readonly string[] | undefined,
  ): Promise<void>;
}
