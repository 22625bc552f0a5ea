import { unreachable } from '../../domain/decider.ts';
import { planName } from '../plans/plan-terms.ts';
import { isJsonPath, valueAt } from './json-path.ts';
import type { TenantAction, TenantChange } from './tenant-action.ts';

const MOST_REASON = 200;

/** What the action means for an event; a text instead: why it means nothing. */
export function planTenantChange(action: TenantAction, root: unknown): TenantChange | string {
  switch (action.kind) {
    case 'initialize-tenant': {
      const plan = action.plan === undefined ? undefined : textAt(action.plan, root);
      if (plan !== undefined && !isPlan(plan)) return `${JSON.stringify(plan)} can't be the name of a plan`;
      return { kind: action.kind, plan, closedBy: action.closedBy };
    }
    case 'set-plan': {
      const plan = textAt(action.plan, root);
      if (plan === undefined) return `plan: ${[action.plan].flat().join(', ')} leads to no text`;
      if (!isPlan(plan)) return `${JSON.stringify(plan)} can't be the name of a plan`;
      return { kind: action.kind, plan };
    }
    case 'suspend-tenant':
      return { kind: action.kind, mode: action.mode ?? 'claims', reason: reasonAt(action.reason, root) };
    case 'close-tenant':
      return { kind: action.kind, reason: reasonAt(action.reason, root) };
    case 'resume-tenant':
      return action;
    default:
      return unreachable(action);
  }
}

const isPlan = (text: string): boolean => planName.safeParse(text).success;

const reasonAt = (given: string | readonly string[] | undefined, root: unknown): string =>
  (given === undefined ? undefined : textAt(given, root)?.slice(0, MOST_REASON)) ?? 'an event says so';

/** Written out, or what the first path that leads to a text leads to. */
function textAt(given: string | readonly string[], root: unknown): string | undefined {
  if (typeof given === 'string' && !isJsonPath(given)) return given;
  for (const path of [given].flat()) {
    const value = valueAt(root, path);
    if (typeof value === 'string' && value.trim() !== '') return value.trim();
  }
  return undefined;
}
