import { z } from 'zod';

/** A setting as people see it: in the environment, in docs/configuration.md and in .env.example. */
export interface Setting {
  readonly name: string;
  /** As it would be written; empty: not set. */
  readonly standard: string;
  readonly meaning: string;
}

export function setting<T extends z.ZodType>(schema: T, standard: string, meaning: string) {
  return { schema, standard, meaning };
}

export function wholeNumber(least: number, most: number) {
  const error = `must be a whole number from ${least} to ${most}`;
  return z
    .string()
    .regex(/^\d{1,15}$/, error)
    .transform(Number)
    .refine((value) => value >= least && value <= most, error);
}

export function yesOrNo() {
  return z.enum(['true', 'false'], { error: 'must be true or false' }).transform((word) => word === 'true');
}
