import type { Socket } from 'node:net';
import type { ProblemCode } from './problem-catalogue.ts';
import { PROBLEMS } from './problem-catalogue.ts';

const DETAILS: Readonly<Record<string, string>> = {
  ERR_HTTP_REQUEST_TIMEOUT: 'the request was not sent in time; its head and body may take half a minute',
  HPE_HEADER_OVERFLOW: 'the headers are too long',
};

/** Answers what Node could not read as a request: there is no route and no reply object for it. */
export function answerNotHttp(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed || !socket.writable) return;
  const code: ProblemCode = 'validation';
  const { status, title } = PROBLEMS[code];
  const detail = DETAILS[error.code ?? ''] ?? 'this is not an HTTP request';
  const body = JSON.stringify({ type: `/problems/${code}`, title, status, code, detail });
  socket.end(
    `HTTP/1.1 ${status} Bad Request\r\ncontent-type: application/problem+json\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\nx-content-type-options: nosniff\r\nconnection: close\r\n\r\n${body}`,
  );
}
