import type { RouteShorthandOptions } from 'fastify';
import { z } from 'zod';
import { problem } from '../contract/problem.ts';
import { PROBLEMS, type ProblemCode } from '../problem-catalogue.ts';

type Answers = NonNullable<NonNullable<RouteShorthandOptions['schema']>['response']>;

/** Any route may answer with these. */
const ALWAYS: readonly ProblemCode[] = [
  'unauthenticated',
  'too-many-attempts',
  'forbidden',
  'validation',
  'dependency-unavailable',
  'identity-unavailable',
];

const NAMES: Readonly<Record<string, string>> = { 201: 'Created', 202: 'Accepted' };

/**
 * The answers of a route for the API description: what it gives by status, undefined for no body, and the problems it
 * can end with.
 */
export function answers(
  good: Readonly<Record<number, z.ZodType | undefined>>,
  ...problems: readonly ProblemCode[]
): Answers {
  const described: Record<string, unknown> = {};
  for (const [status, schema] of Object.entries(good)) {
    const type = schema instanceof z.ZodString ? 'text/event-stream' : 'application/json';
    described[status] = schema
      ? { description: NAMES[status] ?? 'OK', content: { [type]: { schema } } }
      : z.null().describe('Nothing to say');
  }
  const byStatus = Map.groupBy([...ALWAYS, ...problems], (code) => PROBLEMS[code].status);
  for (const [status, codes] of byStatus) {
    described[status] = {
      description: codes.map((code) => `\`${code}\``).join(', '),
      content: { 'application/problem+json': { schema: problem } },
    };
  }
  return described as Answers;
}
