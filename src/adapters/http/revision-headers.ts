import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Position } from '../../commands/ports.ts';
import { HEADERS } from './contract/headers.ts';
import { invalid } from './problems.ts';

/** -1: as of something of which nothing was said yet. */
const ENTITY_TAG = /^"(-1|\d{1,9})"$/;

/** The revision in If-Match; undefined when any will do. */
export function expectedRevision(request: FastifyRequest): number | undefined {
  const value = request.headers['if-match'];
  if (value === undefined || value === '*') return undefined;
  const revision = ENTITY_TAG.exec(value)?.[1];
  if (revision === undefined) throw invalid('If-Match', 'must be one ETag of this API, such as "7"');
  return Number(revision);
}

/** Whether If-None-Match names this revision, or what else the ETag is made of. */
export function isKnown(request: FastifyRequest, revision: number | string): boolean {
  const tags = request.headers['if-none-match'];
  const known = tags?.split(',').some((tag) => tag.trim().replace(/^W\//, '') === `"${revision}"`);
  return known === true;
}

/** Says what the job is now at, and where the change is in the log (absent when there was nothing to change). */
export function setRevision(reply: FastifyReply, revision: number, position?: Position): FastifyReply {
  reply.header('etag', `"${revision}"`);
  return setPosition(reply, position);
}

export function setPosition(reply: FastifyReply, position: Position | undefined): FastifyReply {
  return position === undefined ? reply : reply.header(HEADERS.eventPosition, String(position));
}
