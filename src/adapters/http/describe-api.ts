import { createServer } from './server.ts';
import { DEFAULT_LIMITS, type ServerParts } from './server-parts.ts';

/** The API's description (OpenAPI 3.1) without a running service. */
export async function describeApi(): Promise<object> {
  // Describing calls no part; what a route takes from its parts while it is added is the limits.
  const app = createServer({ limits: DEFAULT_LIMITS } as ServerParts);
  try {
    await app.ready();
    return app.swagger();
  } finally {
    await app.close();
  }
}
