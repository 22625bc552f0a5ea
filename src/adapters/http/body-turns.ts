import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Metrics } from '../../commands/telemetry.ts';
import { announcedBytes } from './announced-bytes.ts';
import { bodyBytes } from './json-body.ts';
import { HttpProblem } from './problems.ts';

export interface BodyTurnLimits {
  /** Longer bodies take turns; others never wait. */
  readonly largeBytes: number;
  /** Of one credential's large bodies that are read and in work at once. One always is. */
  readonly atOnceBytes: number;
  /** Of one credential, in line. */
  readonly waiting: number;
  /** Longest time in line. */
  readonly waitMs: number;
}

/**
 * Lets large bodies of one caller take turns before they are read and parsed: parsing megabytes holds everybody up, so it
 * must not be done for many of them in a row. Comes after authentication and the budget.
 */
export function registerBodyTurns(app: FastifyInstance, limits: BodyTurnLimits, metrics: Metrics): void {
  const lines = new Map<string, Line>();
  const turns = new WeakMap<FastifyRequest, Turn>();
  let waiting = 0;
  let stopping = false;
  const count = (more: 1 | -1) => {
    waiting += more;
    metrics.gauge('http_bodies_waiting', waiting);
  };

  app.addHook('preParsing', (request, reply, _payload, done) => {
    const bytes = announcedBytes(request);
    if (bytes <= limits.largeBytes || isTooLong(request)) return done();
    // Nobody is there any more. Its close has been, so nothing would end its turn.
    if (reply.raw.destroyed) return;
    const caller = request.principal?.name ?? '';
    const line = lines.get(caller) ?? new Line(limits.atOnceBytes);
    lines.set(caller, line);
    const turn = new Turn(line, bytes);
    const leave = () => {
      line.leave(turn);
      if (line.isEmpty && lines.get(caller) === line) lines.delete(caller);
    };
    if (line.enter(turn)) {
      turns.set(request, turn);
      reply.raw.once('close', leave);
      return done();
    }
    if (stopping || line.waiting > limits.waiting) {
      leave();
      return done(stopping ? shuttingDown() : tooMany());
    }
    const since = performance.now();
    const end = (problem?: HttpProblem) => {
      clearTimeout(late);
      turn.called = undefined;
      count(-1);
      metrics.observe('http_body_wait', (performance.now() - since) / 1_000);
      if (problem) leave();
      done(problem);
    };
    const late = setTimeout(() => end(tooMany()), limits.waitMs);
    turn.called = end;
    turns.set(request, turn);
    count(1);
    // Also of a client that goes away while it waits.
    reply.raw.once('close', () => (turn.called ? end(tooMany()) : leave()));
  });

  // What came without a length is known by now: the small ones, and long polls with them, hold nobody up.
  app.addHook('preValidation', (request, _reply, done) => {
    const { length } = bodyBytes(request);
    turns.get(request)?.shrink(length > limits.largeBytes ? length : 0);
    done();
  });

  app.addHook('preClose', async () => {
    stopping = true;
    for (const line of [...lines.values()]) line.refuse(shuttingDown());
  });
}

/** One body that is in line, or in work. */
class Turn {
  readonly #line: Line;
  bytes: number;
  /** Set while it is in line. */
  called: ((problem?: HttpProblem) => void) | undefined;

  constructor(line: Line, bytes: number) {
    this.#line = line;
    this.bytes = bytes;
  }

  shrink(bytes: number): void {
    this.#line.shrink(this, bytes);
  }
}

/** The large bodies of one caller, in the order they came. */
class Line {
  readonly #most: number;
  readonly #inWork = new Set<Turn>();
  readonly #waiting = new Set<Turn>();
  #bytes = 0;

  constructor(most: number) {
    this.#most = most;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  get isEmpty(): boolean {
    return this.#inWork.size === 0 && this.#waiting.size === 0;
  }

  /** False: it has to wait until it is called. */
  enter(turn: Turn): boolean {
    if (this.#waiting.size === 0 && this.#fits(turn)) {
      this.#begin(turn);
      return true;
    }
    this.#waiting.add(turn);
    return false;
  }

  leave(turn: Turn): void {
    this.#waiting.delete(turn);
    if (this.#inWork.delete(turn)) this.#bytes -= turn.bytes;
    this.#callNext();
  }

  shrink(turn: Turn, bytes: number): void {
    if (!this.#inWork.has(turn) || bytes >= turn.bytes) return;
    this.#bytes -= turn.bytes - bytes;
    turn.bytes = bytes;
    this.#callNext();
  }

  refuse(problem: HttpProblem): void {
    for (const turn of [...this.#waiting]) turn.called?.(problem);
  }

  #fits = ({ bytes }: Turn): boolean => this.#bytes === 0 || this.#bytes + bytes <= this.#most;

  #begin(turn: Turn): void {
    this.#inWork.add(turn);
    this.#bytes += turn.bytes;
  }

  #callNext(): void {
    for (const turn of this.#waiting) {
      if (!this.#fits(turn)) return;
      this.#waiting.delete(turn);
      this.#begin(turn);
      turn.called?.();
    }
  }
}

/** Is refused without being read, and so need not wait. */
const isTooLong = ({ headers, routeOptions }: FastifyRequest): boolean =>
  Number(headers['content-length'] ?? 0) > (routeOptions.bodyLimit ?? 0);

const tooMany = () => new HttpProblem('too-many-requests', undefined, { retryAfterMs: 1_000 });
const shuttingDown = () => new HttpProblem('shutting-down', undefined, { retryAfterMs: 1_000 });
