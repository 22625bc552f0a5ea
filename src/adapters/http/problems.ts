import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type Logger, noLogger } from '../../commands/telemetry.ts';
import type { Refused } from '../../commands/use-cases.ts';
import { isDatabaseAway } from '../postgres/sql-errors.ts';
import type { Problem } from './contract/problem.ts';
import { PROBLEMS, type ProblemCode, problemOf } from './problem-catalogue.ts';
import { quotaDetails } from './quota-details.ts';
import { InvalidRequestError, placesOf } from './request-validation.ts';
import { NO_SNIFFING } from './security-headers.ts';
import { sendText } from './send-json.ts';

export interface ProblemOptions {
  readonly errors?: Problem['errors'];
  readonly quota?: Problem['quota'];
  readonly suspension?: Problem['suspension'];
  readonly retryAfterMs?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Ends a request with a problem of the catalogue. */
export class HttpProblem extends Error {
  readonly code: ProblemCode;
  readonly options: ProblemOptions;
  constructor(code: ProblemCode, detail?: string, options: ProblemOptions = {}) {
    super(detail ?? PROBLEMS[code].meaning);
    this.code = code;
    this.options = options;
  }
}

/** One field, header or parameter is wrong. */
export const invalid = (pointer: string, detail: string): HttpProblem =>
  new HttpProblem('validation', `${pointer}: ${detail}`, { errors: [{ pointer, detail }] });

/** Throws when a use case said no. */
export function accept<Result extends { readonly kind: string }>(
  result: Result | Refused,
): Exclude<Result, Refused> {
  if (result.kind === 'refused') throw refusal(result as Refused);
  return result as Exclude<Result, Refused>;
}

/** The problem of one item of a batch. */
export const refusalBody = (refused: Refused): Problem => problemBody(refusal(refused));

/** What a use case's refusal is to its caller. */
export function refusal(refused: Refused, options: ProblemOptions = {}): HttpProblem {
  const { detail, ...details } = quotaDetails(refused);
  const isTooLarge = refused.quota?.limit === 'payloadBytes';
  const code = isTooLarge ? 'payload-too-large' : problemOf(refused.reason);
  return new HttpProblem(code, detail, { ...details, ...options });
}

export function problemBody(problem: HttpProblem, request?: FastifyRequest): Problem {
  const { status, title } = PROBLEMS[problem.code];
  const { errors, quota, suspension } = problem.options;
  return {
    type: `/problems/${problem.code}`,
    title,
    status,
    code: problem.code,
    detail: problem.message,
    ...(request && { instance: request.url.slice(0, 500), requestId: request.id }),
    ...(errors && { errors }),
    ...(quota && { quota }),
    ...(suspension && { suspension }),
  };
}

export function sendProblem(
  problem: HttpProblem,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  const { retryAfterMs, headers } = problem.options;
  if (retryAfterMs !== undefined) reply.header('retry-after', Math.max(1, Math.ceil(retryAfterMs / 1000)));
  if (headers) reply.headers(headers);
  reply
    .headers(NO_SNIFFING)
    .status(PROBLEMS[problem.code].status)
    .header('content-type', 'application/problem+json');
  return sendText(reply, JSON.stringify(problemBody(problem, request)));
}

/** Every error that leaves the service goes through here. Texts of unforeseen errors stay in the log. */
export function registerProblems(app: FastifyInstance, logger: Logger = noLogger): void {
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const problem = toProblem(error);
    report(problem, error, request, logger);
    // Fastify wants to close the connection on a body it did not read; a client that is still sending would see only
    // that. Left open, Node reads the rest away, for as long as a request may take.
    if (problem.code === 'payload-too-large') reply.removeHeader('connection');
    return sendProblem(problem, request, reply);
  });
}

/** A fault needs its stack; what is turned away under load or while the database is gone must not flood the log. */
function report(problem: HttpProblem, err: Error, request: FastifyRequest, logger: Logger): void {
  const { code } = problem;
  if (PROBLEMS[code].status < 500) return;
  const about = { requestId: request.id, route: request.routeOptions.url };
  if (code === 'internal') logger.error({ ...about, err }, 'request failed');
  else logger.debug({ ...about, code, reason: err.message }, 'request turned away');
}

/** What an error means to the caller. */
export function toProblem(error: FastifyError | HttpProblem | InvalidRequestError): HttpProblem {
  if (error instanceof HttpProblem) return error;
  if (error instanceof InvalidRequestError) {
    const errors = [...placesOf(error)];
    const detail = errors[0] && `${errors[0].pointer || 'the request'}: ${errors[0].detail}`;
    return new HttpProblem('validation', detail, { errors });
  }
  const known = BY_ERROR_CODE[error.code];
  if (known) {
    const tells = known === 'validation' || known === 'kafka-unavailable';
    const detail = tells ? error.message : undefined;
    return new HttpProblem(known, detail, retryAfterOf(error, known));
  }
  if (isDatabaseAway(error)) {
    return new HttpProblem('dependency-unavailable', undefined, { retryAfterMs: 1_000 });
  }
  // What Fastify itself refuses (bad URL, bad Content-Length, …) is the caller's mistake.
  if (error.statusCode !== undefined && error.statusCode >= 400 && error.statusCode < 500) {
    return new HttpProblem('validation', error.message);
  }
  return new HttpProblem('internal');
}

/** Codes of errors that other parts throw. */
const BY_ERROR_CODE: Readonly<Record<string, ProblemCode>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported-media-type',
  FST_ERR_CTP_BODY_TOO_LARGE: 'payload-too-large',
  FST_ERR_HANDLER_TIMEOUT: 'dependency-unavailable',
  append_too_large: 'payload-too-large',
  invalid_cursor: 'invalid-cursor',
  invalid_job: 'validation',
  log_overloaded: 'log-overloaded',
  log_unavailable: 'log-unavailable',
  key_set_unavailable: 'identity-unavailable',
  kafka_unavailable: 'kafka-unavailable',
  contended: 'contended',
  leadership_taken: 'already-rebuilding',
  nothing_to_roll_back: 'nothing-to-roll-back',
};

function retryAfterOf(error: FastifyError, code: ProblemCode): ProblemOptions {
  const given = 'retryAfterMs' in error ? Number(error.retryAfterMs) : undefined;
  const retryAfterMs = given ?? (PROBLEMS[code].status >= 503 || code === 'contended' ? 1_000 : undefined);
  return retryAfterMs === undefined ? {} : { retryAfterMs };
}
