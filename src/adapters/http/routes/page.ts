import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Page } from '../../../projections/queries.ts';

/** A page as the contract has it, with a Link header for clients that follow those. */
export function pageView<Row, View>(
  page: Page<Row>,
  view: (row: Row) => View,
  request: FastifyRequest,
  reply: FastifyReply,
): { data: View[]; nextCursor: string | null; prevCursor: string | null } {
  const { nextCursor, prevCursor } = page;
  const links = [link(request, nextCursor, 'next'), link(request, prevCursor, 'prev')].filter(Boolean);
  if (links.length > 0) reply.header('link', links.join(', '));
  return { data: page.rows.map(view), nextCursor, prevCursor };
}

function link(request: FastifyRequest, cursor: string | null, rel: string): string | undefined {
  if (cursor === null) return undefined;
  const [path = '', query] = request.url.split('?');
  const parameters = new URLSearchParams(query);
  parameters.set('cursor', cursor);
  return `<${path}?${parameters}>; rel="${rel}"`;
}
