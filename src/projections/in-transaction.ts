import type { Pool, PoolClient } from 'pg';

export interface TransactionOptions {
  /** Statements run right after begin, for example `set local …`. */
  readonly settings?: string;
  readonly isolation?: 'read committed' | 'repeatable read';
  /** Breaks the connection off, and with it the transaction, this long after the abort. */
  readonly signal?: AbortSignal;
  readonly stopMs?: number;
}

/** Runs work in a transaction of its own: committed when it resolves, rolled back when it rejects. */
export function inTransaction<Result>(
  pool: Pool,
  work: (client: PoolClient) => Promise<Result>,
  options: TransactionOptions = {},
): Promise<Result> {
  const { settings = '', isolation = 'read committed' } = options;
  return onConnection(
    pool,
    async (client) => {
      await client.query(`begin isolation level ${isolation}; ${settings}`);
      const result = await work(client);
      await client.query('commit');
      return result;
    },
    {
      ...options,
      undo: async (client) => {
        await client.query('rollback');
      },
    },
  );
}

/** Runs one statement, which is a transaction of its own. */
export const inStatement = <Result>(
  pool: Pool,
  work: (client: PoolClient) => Promise<Result>,
  options: Pick<TransactionOptions, 'signal' | 'stopMs'> = {},
): Promise<Result> => onConnection(pool, work, { ...options, undo: async () => undefined });

async function onConnection<Result>(
  pool: Pool,
  work: (client: PoolClient) => Promise<Result>,
  {
    signal,
    stopMs = 1_000,
    undo,
  }: TransactionOptions & { readonly undo: (client: PoolClient) => Promise<void> },
): Promise<Result> {
  const client = await pool.connect();
  // The statement in flight fails as well and says it better; unheard, the event would end the process.
  const onError = () => undefined;
  client.on('error', onError);
  let timer: NodeJS.Timeout | undefined;
  let released = false;
  const release = (broken: boolean) => {
    if (released) return;
    released = true;
    if (!broken) client.off('error', onError);
    client.release(broken);
  };
  const onAbort = () => {
    timer = setTimeout(() => release(true), stopMs);
  };
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    const result = await work(client);
    release(false);
    return result;
  } catch (error) {
    const undone =
      released ||
      (await undo(client).then(
        () => true,
        () => false,
      ));
    release(!undone);
    throw error;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  }
}
