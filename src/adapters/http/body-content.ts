import type { FastifyRequest } from 'fastify';
import type { JsonText } from '../../domain/json-text.ts';
import { jsonTextAt } from './json-body.ts';
import { HttpProblem } from './problems.ts';

/** A payload or result of the body as its caller wrote it; undefined when it is absent, 413 when it is too large. */
export function contentAt(
  request: FastifyRequest,
  pointer: string,
  value: unknown,
  mostBytes: number,
): JsonText | undefined {
  const text = jsonTextAt(request, pointer, value);
  // No UTF-16 unit takes more than three bytes: most texts need no counting.
  if (text === undefined || text.length * 3 <= mostBytes) return text;
  const bytes = Buffer.byteLength(text);
  if (bytes <= mostBytes) return text;
  const detail = `has ${bytes} bytes; at most ${mostBytes} are allowed`;
  throw new HttpProblem('payload-too-large', `${pointer}: ${detail}`, { errors: [{ pointer, detail }] });
}
