import { z } from 'zod';
import { LIMIT_NAMES } from '../../../domain/tenant-quota/limits.ts';
import { time } from './values.ts';

export const limitName = z.enum(LIMIT_NAMES);

/** What a limit was full of: in the problems `quota-exceeded`, `batch-above-limit` and `payload-too-large`. */
export const quotaRefusal = z
  .object({
    limit: limitName,
    value: z.int(),
    used: z.int(),
    resetAt: time.nullable().describe('When there is room again, as far as that is known.'),
  })
  .meta({ id: 'QuotaRefusal' });
export type QuotaRefusal = z.infer<typeof quotaRefusal>;

/** In the problem `tenant-paused`. */
export const suspensionRefusal = z
  .object({ reason: z.string(), until: time.nullable() })
  .meta({ id: 'SuspensionRefusal' });
