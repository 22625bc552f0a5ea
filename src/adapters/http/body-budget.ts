import type { FastifyInstance } from 'fastify';
import { announcedBytes } from './announced-bytes.ts';
import { HttpProblem } from './problems.ts';

/** Bytes of bodies that may be on their way in, or in work, at once. */
export interface BodyBudget {
  readonly totalBytes: number;
  /** Of one credential, so that nobody uses up what is there for all. */
  readonly callerBytes: number;
}

/** Bounds the memory that bodies take, however many connections send them. Comes after authentication. */
export function registerBodyBudget(app: FastifyInstance, { totalBytes, callerBytes }: BodyBudget): void {
  const byCaller = new Map<string, number>();
  let total = 0;
  app.addHook('onRequest', (request, reply, done) => {
    const bytes = announcedBytes(request);
    if (bytes === 0) return done();
    // Nobody is there any more. Its close has been, so nothing would give back what it took.
    if (reply.raw.destroyed) return;
    const caller = request.principal?.name ?? '';
    const held = byCaller.get(caller) ?? 0;
    // One body always fits: it is limited by itself.
    if (held > 0 && (held + bytes > callerBytes || total + bytes > totalBytes)) {
      throw new HttpProblem('too-many-requests', undefined, { retryAfterMs: 1_000 });
    }
    total += bytes;
    byCaller.set(caller, held + bytes);
    reply.raw.once('close', () => {
      total -= bytes;
      const left = (byCaller.get(caller) ?? 0) - bytes;
      if (left > 0) byCaller.set(caller, left);
      else byCaller.delete(caller);
    });
    done();
  });
}
