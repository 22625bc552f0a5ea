import type { FastifyReply } from 'fastify';

const asIs = (text: string): string => text;

/** Sends text that is JSON already. */
export const sendJson = (reply: FastifyReply, status: number, text: string): FastifyReply =>
  reply.status(status).header('content-type', 'application/json; charset=utf-8').serializer(asIs).send(text);
