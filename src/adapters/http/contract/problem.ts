import { z } from 'zod';

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
  })
  .meta({ id: 'Problem' });
export type Problem = z.infer<typeof problem>;
