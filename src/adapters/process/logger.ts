import { type Logger as PinoLogger, pino } from 'pino';
import pretty from 'pino-pretty';

/** JSON lines on standard output, or coloured text when a person is watching. */
export function createLogger(level: string): PinoLogger {
  const options = {
    level,
    base: null,
    messageKey: 'event',
    timestamp: pino.stdTimeFunctions.isoTime,
    serializers: { err: describeError },
    formatters: { level: (label: string) => ({ level: label }) },
  };
  if (!process.stdout.isTTY) return pino(options);
  // In this thread, so that the last lines before an exit are not lost.
  return pino(
    options,
    pretty({ messageKey: 'event', translateTime: 'SYS:HH:MM:ss', sync: true, singleLine: true }),
  );
}

/** What helps to find the cause. Errors of libraries drag connections along, with passwords in them. */
function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) return { message: String(error) };
  const { name, message, stack, cause } = error;
  const { code } = error as { code?: unknown };
  return { name, message, code, stack, ...(cause !== undefined && { cause: describeError(cause) }) };
}
