import { createLogger } from '../../src/adapters/process/logger.ts';
import { shutDownOnSignals } from '../../src/adapters/process/shutdown.ts';

/** A program of which a part never ends. */
const logger = createLogger('info');
const { promise } = Promise.withResolvers<void>();
setInterval(() => {}, 60_000);
shutDownOnSignals(() => promise, 200, logger);
logger.info({}, 'started');
