import { z } from 'zod';

/** Most items in one batch request. */
export const MAX_BATCH = 1_000;

/** The small shared vocabulary of every request and response. */
export const tenantId = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/, 'must be a tenant id: letters, digits, _ and -, at most 64');

export const jobId = z.uuid('must be a UUID').meta({ examples: ['019340a1-7f3e-7000-8c11-2a3b4c5d6e7f'] });

const NAME = /^[A-Za-z0-9][A-Za-z0-9_.:-]{0,99}$/;
const NAME_RULE = 'must start with a letter or digit, then letters, digits and _.:-, at most 100 characters';

export const queueName = z
  .string()
  .regex(NAME, NAME_RULE)
  .meta({ examples: ['default'] });
export const jobType = z
  .string()
  .regex(NAME, NAME_RULE)
  .meta({ examples: ['email.send'] });
export const workerId = z
  .string()
  .min(1)
  .max(100)
  .regex(/^[\x21-\x7e]+$/, 'must be printable ASCII without blanks');

const LATEST_TIME = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

/** RFC 3339 with an offset, from 1970 to 9999. */
export const time = z.iso
  .datetime({ offset: true, error: 'must be an RFC 3339 time such as 2026-11-21T09:30:00Z' })
  .refine((text) => Date.parse(text) >= 0 && Date.parse(text) <= LATEST_TIME, 'must be from 1970 to 9999')
  .meta({ examples: ['2026-11-21T09:30:00Z'] });

/** Any JSON value; kept byte for byte as it was sent. */
export const anyJson = z
  .unknown()
  .meta({ id: 'AnyJson', description: 'Any JSON value, kept byte for byte.' });

export const priority = z.int().min(1).max(9).describe('1 is taken first, 9 last.');

/** Words of a caller. Bodies are looked through for what can't be stored; query strings only here. */
export const text = (most: number) =>
  z
    .string()
    .min(1)
    .max(most)
    .refine((value) => !value.includes('\0') && value.isWellFormed(), 'must not hold NUL or lone surrogates');

export const tag = text(100);
export const fingerprint = text(100).describe('Groups errors that are alike.');
export const tags = z.array(tag).max(20);
export const reason = text(500);
export const maxAttempts = z.int().min(1).max(1_000);

const DAY_MS = 86_400_000;
export const durationMs = z
  .int()
  .min(0)
  .max(366 * DAY_MS);
export const leaseMs = z.int().min(1_000).max(3_600_000);

/** An event's place in the log: compare for equality or hand back, nothing else. */
export const position = z
  .string()
  .regex(/^\d{1,18}$/, 'must be a position that this service gave out')
  .meta({ examples: ['1042'] });

/** A number in a query string. */
export const queryInteger = (min: number, max: number) => z.coerce.number().int().min(min).max(max);

export const pageLimit = queryInteger(1, 200).default(50);
export const cursor = text(1_000);

/** One value, several values or a comma-separated list in a query string. */
export const queryList = <Item extends z.ZodType<string, string>>(item: Item) =>
  z.preprocess(
    (value) => (typeof value === 'string' ? value.split(',') : value),
    z.array(item).min(1).max(20),
  );

/** A page of a list; the cursors go back into `cursor`. */
export const pageOf = <Item extends z.ZodType>(item: Item) =>
  z.object({
    data: z.array(item),
    nextCursor: z.string().nullable(),
    prevCursor: z.string().nullable(),
  });
