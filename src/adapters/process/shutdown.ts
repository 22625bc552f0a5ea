import type { Logger } from '../../commands/telemetry.ts';

/** npm passes a Ctrl-C on to a process that the terminal has already told: two signals this close are one. */
const SAME_KEYSTROKE_MS = 500;
/** Whoever stops the process kills it when the time is up: it has to be gone before, and to have said why. */
const CUT_OFF_SHARE = 0.95;

/**
 * On the first SIGINT, SIGTERM or SIGHUP closes the service and exits with 0; with 1 when that takes longer than `withinMs`,
 * as what waits for a store that is away can't be ended; a second signal exits at once with 1.
 * An error that nobody caught ends the process: its state is unknown, and everything accepted is already durable.
 */
export function shutDownOnSignals(close: () => Promise<void>, withinMs: number, logger: Logger): void {
  let firstAt: number | undefined;
  const onSignal = (signal: NodeJS.Signals) => {
    if (firstAt !== undefined) {
      if (performance.now() - firstAt > SAME_KEYSTROKE_MS) process.exit(1);
      return;
    }
    firstAt = performance.now();
    logger.info({ signal }, 'server.stopping');
    setTimeout(() => {
      logger.warn({ withinMs }, 'server.cut_off');
      process.exit(1);
    }, withinMs * CUT_OFF_SHARE);
    close().then(
      () => {
        logger.info({}, 'server.stopped');
        process.exit(0);
      },
      (error: Error) => crash(error, logger),
    );
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal);
  process.on('uncaughtException', (error) => crash(error, logger));
  process.on('unhandledRejection', (error) => crash(error, logger));
}

export function crash(error: unknown, logger: Logger): never {
  logger.error({ err: error }, 'server.crashed');
  process.exit(1);
}
