/**
 * Somebody did what no aggregate decides about: rebuilt a read model, changed a subscription, quieted a worker. It is
 * noted before it is done, so nothing is done that is not noted; whether it succeeded is another matter. Changes of plans
 * and subscriptions are noted when nothing can refuse them any more.
 */
export interface ActionTaken {
  readonly type: 'ActionTaken';
  readonly data: {
    /** `projection.rebuild`, `subscription.put`, … */
    readonly action: string;
    /** What it was done to: the name of the projection, of the subscription, … */
    readonly subject: string;
    readonly reason?: string | undefined;
    readonly details?: Readonly<Record<string, unknown>> | undefined;
  };
}
