import type { FastifyRequest } from 'fastify';

/** What is said to come; without a length, the most that may. What is longer is refused without being read. */
export function announcedBytes({ headers, routeOptions }: FastifyRequest): number {
  const most = routeOptions.bodyLimit ?? 0;
  if (headers['transfer-encoding'] !== undefined) return most;
  return Math.min(Number(headers['content-length'] ?? 0), most);
}
