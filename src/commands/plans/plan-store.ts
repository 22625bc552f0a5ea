import type { QuotaTerms } from '../../domain/tenant-quota/limits.ts';
import type { PlanTerms } from './plan-terms.ts';

export interface Plan extends PlanTerms {
  readonly name: string;
  /** From 0, one more with every change. */
  readonly revision: number;
  /** In the file named in PLANS_FILE: only to be changed there. */
  readonly fromFile: boolean;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly updatedBy: string;
  readonly reason: string | null;
  /** Every tenant on the plan has been given the terms of this revision; -1: not all of any. */
  readonly appliedRevision: number;
}

export const termsOf = ({ name, limits, onExceed, weight }: Plan): QuotaTerms => ({
  plan: name,
  limits,
  onExceed,
  weight,
});

export interface PlanChange {
  /** Refuse unless the plan is at this revision. */
  readonly expectedRevision?: number | undefined;
  /**
   * Called when nothing can refuse the change any more and nobody sees it yet: it is made when this resolves, and only then.
   * So what was made is noted, and what was refused is not; only the end of process or database right in between leaves a
   * note of what was not made.
   */
  readonly note: () => Promise<unknown>;
}

export interface PlanWrite extends PlanChange {
  readonly name: string;
  readonly terms: PlanTerms;
  readonly by: string;
  readonly reason?: string | undefined;
}

export type PlanRemoval = 'removed' | 'missing' | 'taken' | 'revision_mismatch';

/** A plan whose tenants have not all been given its terms yet. */
export interface PlanToApply {
  readonly plan: Plan;
  /** The last tenant that was; null: none yet. */
  readonly upTo: string | null;
}

/** Changes throw ContendedError when too many wait. */
export interface PlanStore {
  list(): Promise<readonly Plan[]>;
  get(name: string): Promise<Plan | undefined>;
  /** At most a second old. */
  recent(name: string): Promise<Plan | undefined>;
  /** `taken`: it is in the file. Writing the same again changes nothing. */
  put(write: PlanWrite): Promise<Plan | 'taken' | 'revision_mismatch'>;
  remove(name: string, change: PlanChange): Promise<PlanRemoval>;
  /** Makes the plans of the file what is given. A plan that is in it no more stays, and may then be changed otherwise. */
  replaceFromFile(plans: ReadonlyMap<string, PlanTerms>): Promise<void>;
  /** One that has to be applied; undefined: none has. */
  toApply(): Promise<PlanToApply | undefined>;
  /** Tenants up to this one have the terms of the revision; `all`: every tenant has. Nothing when the plan has changed since. */
  applied(name: string, revision: number, upTo: string | null, all: boolean): Promise<void>;
}
