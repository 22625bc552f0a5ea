const code = (error: unknown): string | undefined => {
  const found = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof found === 'string' ? found : undefined;
};

/** An SQLSTATE has five characters; errors of the socket have other codes or none. */
const sqlState = (error: unknown): string | undefined => {
  const found = code(error);
  return found !== undefined && /^[0-9A-Z]{5}$/.test(found) && !/^E[A-Z]{4}$/.test(found) ? found : undefined;
};

export const isUniqueViolation = (error: unknown): boolean => sqlState(error) === '23505';

export const isLockTimeout = (error: unknown): boolean => sqlState(error) === '55P03';

/** Classes that say nothing about the statement: connection, resources, shutdown, deadlock, cancelled, lock timeout. */
const TRANSIENT = /^(?:08|53|57|40|25P0[23]|55P03|58)/;

/** node-postgres gives these errors no code. */
const CONNECTION_LOST =
  /^(?:Connection terminated|timeout exceeded when trying to connect|Query read timeout|Client (?:was closed|has encountered)|Cannot use a pool after)/;

/**
 * Nothing is wrong with the statement: connection refused, lost or not to be had, server starting or stopping, no
 * answer in time; tables of a read model not made yet.
 */
export function isDatabaseAway(error: unknown): boolean {
  const found = code(error);
  if (found !== undefined) return /^(?:ECONN|EPIPE|ETIMEDOUT|ENOTFOUND|08|57P|53300|57014|42P01)/.test(found);
  return error instanceof Error && CONNECTION_LOST.test(error.message);
}

/** The same call may well succeed later: the server is away, busy or restarting, or the connection broke. */
export function isTransient(error: unknown): boolean {
  const state = sqlState(error);
  if (state !== undefined) return TRANSIENT.test(state);
  return error instanceof Error && !(error instanceof TypeError) && !(error instanceof RangeError);
}
