import { JobsApiError, JobsConnectionError } from './errors.ts';

export interface ConnectionOptions {
  /** Base URL of the service: http://127.0.0.1:4000 */
  readonly url: string;
  readonly apiKey: string;
  /** The tenant to act for, where the key is for several. */
  readonly tenant?: string | undefined;
  /** Longest wait for one answer, long polls apart. Default 10,000. */
  readonly timeoutMs?: number;
  /** Tries in all when the service can't be reached or says 429 or 503. Default 5. */
  readonly tries?: number;
  /** For tests and proxies. */
  readonly fetch?: typeof fetch;
  /** Reads answers. Default JSON.parse, which rounds numbers that a double can't hold. */
  readonly parse?: (json: string) => unknown;
}

export interface Call {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | readonly string[] | undefined>> | undefined;
  /** Serialised as JSON. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Added to the timeout: how long the service itself may wait. */
  readonly waitMs?: number;
}

const MOST_PAUSE_MS = 30_000;
/** A limit that has room again this soon is waited for; a day's is told to the caller. */
const WORTH_WAITING_MS = 5_000;
const RETRIED = new Set([429, 502, 503, 504]);

/**
 * One request, tried again with growing pauses while that can help. Safe to repeat because every POST carries an
 * Idempotency-Key of its own, kept over the tries.
 */
export function request<Answer>(connection: ConnectionOptions, call: Call): Promise<Answer> {
  // The body is part of the try: a connection may break in the middle of it.
  return tried(connection, call, async (response) => {
    const text = await response.text();
    return (text === '' ? undefined : (connection.parse ?? JSON.parse)(text)) as Answer;
  });
}

/** As request, but hands over the response itself: for streams. */
export function send(connection: ConnectionOptions, call: Call): Promise<Response> {
  return tried(connection, call, async (response) => response);
}

async function tried<Answer>(
  connection: ConnectionOptions,
  call: Call,
  read: (response: Response) => Promise<Answer>,
): Promise<Answer> {
  const tries = connection.tries ?? 5;
  const headers = headersOf(connection, call);
  const body = call.body === undefined ? undefined : JSON.stringify(call.body);
  for (let attempt = 1; ; attempt += 1) {
    let pauseMs = Math.min(2_000, 50 * 2 ** attempt) * (0.5 + Math.random() / 2);
    try {
      const response = await once(connection, call, headers, body);
      if (response.ok) return await read(response);
      const error = await apiError(response);
      if (attempt >= tries || !mayPass(error)) throw error;
      pauseMs = error.retryAfterMs === undefined ? pauseMs : Math.min(MOST_PAUSE_MS, error.retryAfterMs);
    } catch (error) {
      if (error instanceof JobsApiError || call.signal?.aborted) throw error;
      if (attempt >= tries) throw unreachable(connection, attempt, error);
    }
    await pause(pauseMs, call.signal);
  }
}

/** Whether the same request can have another answer in a moment. */
const mayPass = ({ status, code, retryAfterMs = 0 }: JobsApiError): boolean =>
  code === 'quota-exceeded'
    ? retryAfterMs <= WORTH_WAITING_MS
    : RETRIED.has(status) || code === 'idempotency-in-progress';

function unreachable({ url }: ConnectionOptions, attempts: number, error: unknown): JobsConnectionError {
  const tries = attempts === 1 ? '' : ` (${attempts} tries)`;
  return new JobsConnectionError(`${url} did not answer${tries}: ${reasonOf(error)}`, { cause: error });
}

/** fetch says no more than "fetch failed"; what happened is in the cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'TimeoutError') return 'no answer in time';
  const { cause } = error;
  if (!(cause instanceof Error)) return error.message;
  return cause.message || String((cause as NodeJS.ErrnoException).code ?? error.message);
}

function once(
  connection: ConnectionOptions,
  call: Call,
  headers: Record<string, string>,
  body: string | undefined,
): Promise<Response> {
  const timeout = AbortSignal.timeout((connection.timeoutMs ?? 10_000) + (call.waitMs ?? 0));
  return (connection.fetch ?? fetch)(urlOf(connection, call), {
    method: call.method,
    headers,
    signal: call.signal ? AbortSignal.any([call.signal, timeout]) : timeout,
    ...(body === undefined ? {} : { body }),
  });
}

function urlOf(connection: ConnectionOptions, call: Call): URL {
  const url = new URL(`${connection.url.replace(/\/$/, '')}${call.path}`);
  for (const [name, value] of Object.entries(call.query ?? {})) {
    if (value !== undefined)
      url.searchParams.set(name, Array.isArray(value) ? value.join(',') : String(value));
  }
  return url;
}

function headersOf(connection: ConnectionOptions, call: Call): Record<string, string> {
  return {
    authorization: `Bearer ${connection.apiKey}`,
    ...(connection.tenant === undefined ? {} : { 'on-behalf-of': connection.tenant }),
    ...(call.body === undefined ? {} : { 'content-type': 'application/json' }),
    ...call.headers,
  };
}

async function apiError(response: Response): Promise<JobsApiError> {
  const text = await response.text();
  try {
    const problem = JSON.parse(text);
    if (typeof problem.code === 'string')
      return new JobsApiError({ ...problem, retryAfterMs: retryAfterMs(response) });
  } catch {
    // Not from the service: a proxy's page, say.
  }
  return new JobsApiError({
    status: response.status,
    code: 'unexpected_answer',
    detail: `the service answered ${response.status}: ${text.slice(0, 200)}`,
  });
}

function retryAfterMs(response: Response): number | undefined {
  const seconds = Number(response.headers.get('retry-after') ?? Number.NaN);
  return Number.isFinite(seconds) ? seconds * 1_000 : undefined;
}

/** Resolves after the time, or rejects as soon as the signal aborts. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const timer = setTimeout(done, ms);
    function done(): void {
      signal?.removeEventListener('abort', aborted);
      resolve();
    }
    function aborted(): void {
      clearTimeout(timer);
      reject(signal?.reason);
    }
    signal?.addEventListener('abort', aborted, { once: true });
  });
}
