import type { FastifyInstance } from 'fastify';
import { z } from 'zod';

/** A part of a request that does not fit its schema. Fastify adds which part: body, params, querystring. */
export class InvalidRequestError extends Error {
  readonly issues: readonly z.core.$ZodIssue[];
  validationContext?: string;
  constructor(issues: readonly z.core.$ZodIssue[]) {
    super('invalid request');
    this.issues = issues;
  }
}

/** Of routes that say nothing about parameters: one that is misspelt or in the wrong place is not passed over. */
const NO_PARAMETERS = z.strictObject({});

/** Routes give their zod schemas; requests are checked with them, answers are not (tests check those). */
export function registerRequestValidation(app: FastifyInstance): void {
  app.setValidatorCompiler(({ schema }) => {
    if (!(schema instanceof z.ZodType)) throw new Error('routes describe themselves with zod schemas');
    return (data) => {
      const result = schema.safeParse(data);
      return result.success
        ? { value: result.data }
        : { error: new InvalidRequestError(result.error.issues) };
    };
  });
  app.addHook('onRoute', (route) => {
    if (route.config?.permission && route.schema) route.schema.querystring ??= NO_PARAMETERS;
  });
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
}

/** Most places that one answer names. */
const MAX_PLACES = 50;

/**
 * What is wrong where: JSON pointers into the body, plain names for parameters. Unknown members are named one by one.
 */
export function placesOf(error: InvalidRequestError): readonly { pointer: string; detail: string }[] {
  const inBody = error.validationContext === 'body';
  const pointerTo = (path: readonly PropertyKey[]): string =>
    inBody ? path.map((part) => `/${escapePointer(String(part))}`).join('') : path.map(String).join('.');
  return error.issues
    .flatMap((issue) =>
      issue.code === 'unrecognized_keys'
        ? issue.keys.map((key) => ({
            pointer: pointerTo([...issue.path, key]),
            detail: 'is not a known field',
          }))
        : [{ pointer: pointerTo(issue.path), detail: wording(issue.message) }],
    )
    .slice(0, MAX_PLACES);
}

const wording = (message: string): string =>
  message.endsWith('received undefined') ? 'is required' : message;

const escapePointer = (key: string): string => key.replaceAll('~', '~0').replaceAll('/', '~1');
