import { type Logger as PinoLogger, pino } from 'pino';
import pretty from 'pino-pretty';

/** JSON lines on standard output, or coloured text when a person is watching. */
export function createLogger(level: string): PinoLogger {
  const options = {
    level,
    base: null,
    messageKey: 'event',
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  if (!process.stdout.isTTY) return pino(options);
  // In this thread, so that the last lines before an exit are not lost.
  return pino(options, pretty({ messageKey: 'event', translateTime: 'SYS:HH:MM:ss', sync: true }));
}
