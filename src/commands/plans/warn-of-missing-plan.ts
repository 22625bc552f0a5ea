import type { Logger } from '../telemetry.ts';
import type { PlanStore } from './plan-store.ts';

export interface MissingPlanDeps {
  readonly plans: Pick<PlanStore, 'list'>;
  /** What DEFAULT_PLAN says; undefined: nothing. */
  readonly defaultPlan: string | undefined;
  /** Names in the file of this process, which may not have been written down yet. */
  readonly inFile: Iterable<string>;
  readonly logger: Logger;
}

const MOST_NAMED = 50;

/** For the start: a misspelt default plan would else be heard of at the first enqueue. No error, as it may be made later. */
export async function warnOfMissingPlan({
  plans,
  defaultPlan,
  inFile,
  logger,
}: MissingPlanDeps): Promise<void> {
  if (defaultPlan === undefined) return;
  const names = new Set([...inFile, ...(await plans.list()).map(({ name }) => name)]);
  if (names.has(defaultPlan)) return;
  logger.warn(
    { setting: 'DEFAULT_PLAN', plan: defaultPlan, plans: [...names].sort().slice(0, MOST_NAMED) },
    'the plan named by DEFAULT_PLAN does not exist: until it is made, new tenants begin without limits',
  );
}
