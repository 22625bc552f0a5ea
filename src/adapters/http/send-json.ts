import type { FastifyReply } from 'fastify';

const asIs = (text: string): string => text;

/** Sends text that needs no more writing out; its content type is set already. */
export const sendText = (reply: FastifyReply, text: string): FastifyReply =>
  reply.serializer(asIs).send(text);

/** Sends text that is JSON already. */
export const sendJson = (reply: FastifyReply, status: number, text: string): FastifyReply =>
  sendText(reply.status(status).header('content-type', 'application/json; charset=utf-8'), text);
