import { z } from 'zod';
import { quotaRefusal, suspensionRefusal } from './quota-refusal.ts';

/** RFC 9457. `code` is the last part of `type`; docs/errors.md lists them all. */
export const problem = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    code: z.string(),
    detail: z.string(),
    instance: z.string().optional(),
    requestId: z.string().optional(),
    /** What is wrong where: JSON pointers into the body, or the name of the query parameter or header. */
    errors: z.array(z.object({ pointer: z.string(), detail: z.string() })).optional(),
    quota: quotaRefusal
      .optional()
      .describe('With quota-exceeded, and payload-too-large by a limit of the tenant.'),
    suspension: suspensionRefusal.optional().describe('With tenant-paused.'),
  })
  .meta({ id: 'Problem' });
export type Problem = z.infer<typeof problem>;
