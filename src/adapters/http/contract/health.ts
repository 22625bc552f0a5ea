import { z } from 'zod';

/** GET /livez */
export const liveness = z.object({ status: z.literal('ok') });

/** GET /readyz: 200 when every part answers, else 503 with the same body. */
export const readiness = z
  .object({
    status: z.enum(['ok', 'unavailable']),
    checks: z.array(
      z.object({ name: z.string(), status: z.enum(['ok', 'failed']), detail: z.string().optional() }),
    ),
  })
  .meta({ id: 'Readiness' });
export type Readiness = z.infer<typeof readiness>;
