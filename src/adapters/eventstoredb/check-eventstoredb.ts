import type { Position } from '../../commands/ports.ts';
import { StartupError } from '../process/startup-error.ts';

const ANSWER_WITHIN_MS = 10_000;

/** Reads once. Throws a StartupError that says, without the password, why EventStoreDB cannot be used. */
export async function checkEventStoreDb(
  log: { head(): Promise<Position> },
  connectionString: string,
): Promise<void> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error('no answer')), ANSWER_WITHIN_MS);
  try {
    await Promise.race([log.head(), late.promise]);
  } catch (error) {
    const hosts = connectionString
      .replace(/^.*:\/\//, '')
      .replace(/^[^/?]*@/, '')
      .replace(/[/?].*$/, '');
    const { message, cause } = error as Error;
    const reason = cause instanceof Error ? cause.message : message;
    throw new StartupError(
      'eventstoredb_failed',
      `EventStoreDB at ${hosts} cannot be read (${reason}): check EVENTSTOREDB_URL and that the server runs`,
      { cause: error },
    );
  } finally {
    clearTimeout(timer);
  }
}
