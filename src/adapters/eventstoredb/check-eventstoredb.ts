import { StartupError } from '../process/startup-error.ts';

const ANSWER_WITHIN_MS = 8_000;

/** Reads once. Throws a StartupError that says, without the password, why EventStoreDB cannot be used. */
export async function checkEventStoreDb(connectionString: string): Promise<void> {
  // Loaded where it is needed only, like the log itself.
  const { createEventStoreDbLog } = await import('./event-log.ts');
  // Without a prefix the last event is the answer, whoever wrote it, however many others have written since.
  const log = createEventStoreDbLog({ connectionString, streamPrefix: '', readTimeoutMs: ANSWER_WITHIN_MS });
  try {
    await log.head();
  } catch (error) {
    const hosts = connectionString
      .replace(/^.*:\/\//, '')
      .replace(/^[^/?]*@/, '')
      .replace(/[/?].*$/, '');
    const { message, cause } = error as Error;
    const reason = (cause instanceof Error ? cause.message : message).replaceAll(/\s+/g, ' ').trim();
    throw new StartupError(
      'eventstoredb_failed',
      `EventStoreDB at ${hosts} cannot be read (${reason}): check EVENTSTOREDB_URL and that the server runs`,
      { cause: error },
    );
  } finally {
    await log.close();
  }
}
