import type { Pool, PoolClient } from 'pg';
import type { Generation } from './generations.ts';

/** Why a projection does not get on. Times are milliseconds since 1970. */
export interface ProjectionFault {
  readonly message: string;
  /** Given up for now, because of the event named here; tried again now and then. */
  readonly faulted: boolean;
  readonly attempts: number;
  readonly at: number;
  readonly event?: {
    readonly position: string;
    readonly stream: string;
    readonly revision: number;
    readonly type: string;
  };
}

export async function recordFault(
  client: Pool | PoolClient,
  { projection, generation }: Generation,
  fault: ProjectionFault | undefined,
): Promise<void> {
  await client.query(RECORD, [projection, generation, fault === undefined ? null : JSON.stringify(fault)]);
}

const WORTH_WAITING = /^(08|40|53|55|57|58)...$|^E[A-Z]+$|^log_/;
const QUERY_CANCELED = '57014';

/**
 * Whether the error speaks of the database or the network rather than of an event. A statement that took too long does
 * not count: a smaller batch may well get through.
 */
export function isPassing(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = 'code' in error ? error.code : undefined;
  if (typeof code === 'string') return code !== QUERY_CANCELED && WORTH_WAITING.test(code);
  return /connection (terminated|timeout)|timeout exceeded when trying to connect|not queryable/i.test(
    error.message,
  );
}

const RECORD = `
update projection_generations
set last_error = $3
where projection = $1 and generation = $2 and last_error is distinct from $3`;
