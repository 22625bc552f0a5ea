import type { Pool, QueryResultRow } from 'pg';
import type { Clock } from '../../../commands/ports.ts';

export interface QueryContext {
  readonly pool: Pool;
  readonly clock: Clock;
}

/** Long enough for any page; a query that needs longer would hurt everybody. */
const STATEMENT_TIMEOUT_MS = 5_000;

/**
 * Every query walks an index in the order of its page. Without statistics, as after a bulk load, the planner would rather
 * read the whole table, so it gets no choice.
 */
const BEGIN = `
begin read only;
set local statement_timeout = ${STATEMENT_TIMEOUT_MS};
set local enable_seqscan = off;
set local enable_bitmapscan = off;
set local jit = off`;

/** Runs one query, bounded in time. */
export async function read<Row extends QueryResultRow>(
  pool: Pool,
  text: string,
  values: readonly unknown[],
): Promise<readonly Row[]> {
  const client = await pool.connect();
  let broken: Error | undefined;
  try {
    await client.query(BEGIN);
    const { rows } = await client.query<Row>(text, [...values]);
    return rows;
  } catch (error) {
    broken = error instanceof Error ? error : new Error(String(error));
    throw error;
  } finally {
    // Answers well also in a failed transaction; a connection that can't even do that is thrown away.
    await client.query('rollback').then(
      () => client.release(),
      () => client.release(broken ?? true),
    );
  }
}

/** The parameters of a query that is put together from parts. */
export class Parameters {
  readonly values: unknown[] = [];

  /** Placeholder of the value. */
  add(value: unknown): string {
    this.values.push(value);
    return `$${this.values.length}`;
  }
}
