import { matchesTopic } from '../../commands/inbound/plan-effects.ts';
import type { Subscription } from '../../commands/inbound/subscription.ts';

/** How consumer groups are named: `{prefix}-{service}-{topic-slug}`. */
export interface GroupNaming {
  readonly prefix: string;
  readonly service: string;
}

export const DEAD_LETTER_SUFFIX = '.dlq';

/** Groups and the topics of each; nearly always one. */
export function consumerGroups(
  topics: readonly string[],
  subscriptions: readonly Subscription[],
  naming: GroupNaming,
): ReadonlyMap<string, readonly string[]> {
  const wanted = topics
    .filter((topic) => !topic.startsWith('__') && !topic.endsWith(DEAD_LETTER_SUFFIX))
    .filter((topic) => subscriptions.some((subscription) => matchesTopic(subscription, topic)));
  // Members of a group must all read the same topics: two whose slugs are the same are read together.
  return Map.groupBy(wanted.toSorted(), (topic) => groupIdOf(topic, naming));
}

/** The prefix is not repeated when the topic begins with it. */
export function groupIdOf(topic: string, { prefix, service }: GroupNaming): string {
  const own = topic.startsWith(`${prefix}.`) ? topic.slice(prefix.length + 1) : topic;
  const slug = own.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-');
  return `${prefix}-${service}-${slug}`;
}
