import { ErrorType } from '@eventstore/db-client';

const GRPC_UNAVAILABLE = 14;

const PASSING: ReadonlySet<string> = new Set([
  ErrorType.UNAVAILABLE,
  ErrorType.CANCELLED,
  ErrorType.DEADLINE_EXCEEDED,
  ErrorType.TIMEOUT,
  ErrorType.NOT_LEADER,
]);

/** The server is away or changing; the same read may work soon. Connection errors have no type at all. */
export function isPassing(error: unknown): boolean {
  const type = typeOf(error);
  return type === undefined || PASSING.has(type);
}

/** As gRPC says it, or the client. */
export function isUnavailable(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === GRPC_UNAVAILABLE || typeOf(error) === ErrorType.UNAVAILABLE;
}

export function isStreamNotFound(error: unknown): boolean {
  return typeOf(error) === ErrorType.STREAM_NOT_FOUND;
}

/** Not instanceof: what counts is what the error says it is. */
function typeOf(error: unknown): string | undefined {
  return error instanceof Error && 'type' in error && typeof error.type === 'string' ? error.type : undefined;
}

/** The server hangs, or is far too slow. */
export class ReadTimeoutError extends Error {
  constructor(timeoutMs: number) {
    super(`no answer to a read within ${Math.round(timeoutMs)} ms`);
  }
}
