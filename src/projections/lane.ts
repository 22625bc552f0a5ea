import { pause } from '../commands/pause.ts';
import type { Position } from '../commands/ports.ts';
import { noLogger, noMetrics } from '../commands/telemetry.ts';
import { applyBatch } from './apply-batch.ts';
import { CheckpointLostError, moveCheckpoint } from './checkpoint.ts';
import type { DecodedTail } from './decoded-tail.ts';
import type { ProjectionEnvironment } from './environment.ts';
import { EventRate } from './event-rate.ts';
import { isPassing, recordFault } from './fault.ts';
import type { Generation } from './generations.ts';
import { LaneReader } from './lane-reader.ts';
import type { Batch, BrokenEvent } from './log-slice.ts';
import type { Projection } from './projection.ts';
import type { RightOfWay } from './right-of-way.ts';
import { LeaderReplacedError, ProjectionOutdatedError, takeOver } from './take-over.ts';

/** Larger batches fold more events into one row change; the transaction stays well below a second. */
const MOST_EVENTS = 5_000;
/**
 * From one batch to the next at least: a transaction costs more than the few events that come in so short a time. Longer
 * after a large batch, up to the longest above 5,000 events a second: most jobs start and end within that, and become
 * one change of a row instead of three. After a pause in the log nothing waits, nor does who is behind.
 */
const LINGER_MS = 25;
const LINGER_EVENTS_PER_MS = 5;
const LONGEST_LINGER_MS = 150;
/** From one batch to the next, at most, while a lane that workers wait for is behind; and how often it is asked. */
const GIVE_WAY_MS = 500;
const GIVE_WAY_LOOK_MS = 20;
/** A position that moved without any row changing is written down this often. */
const IDLE_WRITE_MS = 200;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 2_000;
/** Tries with the whole batch before it is cut smaller to find the event that breaks it. */
const WHOLE_TRIES = 2;
const FAULT_PAUSE_MS = 30_000;

export interface LaneOptions {
  readonly environment: ProjectionEnvironment;
  readonly projection: Projection;
  readonly tail: DecodedTail;
  readonly fence: bigint;
  /** Shared by the lanes of a process. */
  readonly rightOfWay: RightOfWay;
  /** Told after every commit, and when a position was passed that needed none. */
  readonly advanced: (projection: string, position: Position) => void;
  /** Builds the tables of a raised version beside the live ones and shows them once they have caught up. */
  readonly upgrade: (projection: Projection, signal: AbortSignal) => Promise<void>;
  /** The checkpoint it will take over; undefined: none yet. */
  readonly startsAt?: Position | undefined;
  readonly faultPauseMs?: number | undefined;
}

/** Keeps one projection up to date while this process leads. Its failures are its own: other lanes go on. */
export class Lane {
  readonly #options: LaneOptions;
  readonly #reader: LaneReader;
  readonly #rate = new EventRate();
  #live: { readonly generation: Generation; readonly stored: Position } | undefined;
  #position: Position = 0n;
  #writtenAt = 0;
  #limit = MOST_EVENTS;
  #failures = 0;
  /** A fault is on record, or may be: whoever led before may have left one. */
  #mayShowFault = true;
  /** Until the lane is past this position, it goes on in small batches. */
  #carefulUntil: Position = 0n;
  #batch: Batch | undefined;

  constructor(options: LaneOptions) {
    this.#options = options;
    this.#reader = new LaneReader(options.environment.log, options.tail, options.projection);
    this.#reader.expect(options.startsAt);
  }

  /** Runs until the signal aborts. Rejects only when this process must not lead: see takeOver. */
  async run(signal: AbortSignal): Promise<void> {
    const { environment, projection, fence } = this.#options;
    while (!signal.aborted) {
      try {
        const takeover = await takeOver(environment, projection, fence);
        if (takeover.kind === 'outgrown') {
          await this.#options.upgrade(projection, signal);
          continue;
        }
        this.#live = { generation: takeover.generation, stored: takeover.position };
        this.#position = takeover.position;
        this.#report();
        while (!signal.aborted) await this.#step(signal);
      } catch (error) {
        if (error instanceof LeaderReplacedError || error instanceof ProjectionOutdatedError) throw error;
        if (!signal.aborted) await this.#recover(error, signal);
      }
    }
    this.#options.rightOfWay.tell(this, false);
    this.#reader.leave();
  }

  async #step(signal: AbortSignal): Promise<void> {
    const lingerMs = this.#lingerMs();
    if (lingerMs > 0) await pause(lingerMs, signal);
    await this.#giveWay(signal);
    const isSettled = this.#live?.stored === this.#position && !this.#mayShowFault;
    const waitMs = isSettled ? undefined : IDLE_WRITE_MS;
    const { projection, rightOfWay } = this.#options;
    const limit = Math.min(this.#limit, projection.mostEvents ?? MOST_EVENTS);
    const batch = await this.#reader.next(this.#position, limit, signal, waitMs);
    this.#batch = batch;
    if (projection.urgent) rightOfWay.tell(this, batch.isFull === true);
    if (batch.events.length > 0) await this.#apply(batch, signal);
    else if (batch.broken) throw batch.broken.error;
    else await this.#skipTo(batch.position);
    // Until the next batch is there, which may take as long as the log is quiet.
    rightOfWay.tell(this, false);
    if (this.#mayShowFault && !signal.aborted) await this.#recovered();
  }

  #lingerMs(): number {
    if (this.#options.projection.urgent || this.#batch?.isFull || this.#failures > 0) return 0;
    const ms = LINGER_MS + (this.#batch?.events.length ?? 0) / LINGER_EVENTS_PER_MS;
    const sinceMs = performance.now() - this.#writtenAt;
    return Math.max(0, Math.min(ms, LONGEST_LINGER_MS) - sinceMs);
  }

  /** The CPU goes first to what workers wait for. */
  async #giveWay(signal: AbortSignal): Promise<void> {
    const { projection, rightOfWay } = this.#options;
    if (projection.urgent) return;
    while (rightOfWay.isTaken && performance.now() - this.#writtenAt < GIVE_WAY_MS && !signal.aborted)
      await pause(GIVE_WAY_LOOK_MS, signal);
  }

  async #apply(batch: Batch, signal: AbortSignal): Promise<void> {
    const { environment, projection, fence } = this.#options;
    const { clock, metrics = noMetrics } = environment;
    const live = this.#running();
    const startedAt = performance.now();
    await applyBatch(environment, projection, live.generation, {
      from: live.stored,
      to: batch.position,
      fence,
      eventsPerSecond: this.#rate.add(batch.events.length),
      events: batch.events,
      signal,
    });
    this.#stored(batch.position);
    const labels = { projection: projection.name };
    metrics.count('projection_events_total', batch.events.length, labels);
    metrics.observe('projection_batch_seconds', (performance.now() - startedAt) / 1_000, labels);
    const last = batch.events.at(-1);
    if (last) {
      metrics.observe(
        'projection_visible_seconds',
        Math.max(0, clock.now() - last.recordedAt) / 1_000,
        labels,
      );
    }
  }

  /** Nothing here concerns this projection: remembered at once, written down now and then. */
  async #skipTo(position: Position): Promise<void> {
    const { environment, projection, fence } = this.#options;
    const live = this.#running();
    if (position > this.#position) {
      this.#position = position;
      this.#report();
    }
    if (this.#position === live.stored || performance.now() - this.#writtenAt < IDLE_WRITE_MS) return;
    await moveCheckpoint(environment.pool, projection, live.generation, {
      from: live.stored,
      to: this.#position,
      fence,
      eventsPerSecond: this.#rate.add(0),
    });
    this.#stored(this.#position);
  }

  async #recover(error: unknown, signal: AbortSignal): Promise<void> {
    const { projection, environment, faultPauseMs = FAULT_PAUSE_MS } = this.#options;
    const { logger = noLogger, metrics = noMetrics } = environment;
    this.#options.rightOfWay.tell(this, false);
    this.#reader.leave();
    if (error instanceof CheckpointLostError) {
      // Someone swapped the tables or leads now: taking over again finds out.
      await pause(FIRST_PAUSE_MS / 2, signal);
      return;
    }
    this.#failures += 1;
    this.#mayShowFault = true;
    metrics.count('projection_failures_total', 1, { projection: projection.name });
    const batch = this.#batch;
    this.#batch = undefined;
    const passing = isPassing(error) || batch === undefined;
    if (!passing && this.#failures >= WHOLE_TRIES) {
      this.#limit = Math.max(1, Math.ceil(Math.min(this.#limit, batch.events.length) / 4));
      if (batch.position > this.#carefulUntil) this.#carefulUntil = batch.position;
    }
    const culprit = passing || this.#failures <= WHOLE_TRIES ? undefined : onlyEvent(batch);
    if (culprit) this.#reader.readAfresh(BigInt(culprit.position));
    const fields = { projection: projection.name, err: error, attempts: this.#failures, event: culprit };
    if (culprit) logger.error(fields, 'projection faulted');
    else logger.warn(fields, 'projection failed; trying again');
    metrics.gauge('projection_faulted', culprit ? 1 : 0, { projection: projection.name });
    await this.#showFault(error, culprit);
    // Cutting a batch smaller costs little; only a database in trouble wants to be left alone for longer.
    const doublings = passing ? Math.min(this.#failures - 1, 10) : 0;
    const pauseMs = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** doublings);
    await pause(culprit ? faultPauseMs : pauseMs, signal);
  }

  async #showFault(error: unknown, culprit: ReturnType<typeof onlyEvent>): Promise<void> {
    const { pool, clock, logger = noLogger } = this.#options.environment;
    if (!this.#live) return;
    const message = error instanceof Error ? error.message : String(error);
    const fault = {
      // People see only this, and need to know where to look.
      message: culprit ? `${culprit.stream}@${culprit.revision}: ${message}` : message,
      faulted: culprit !== undefined,
      attempts: this.#failures,
      at: clock.now(),
      ...(culprit ? { event: culprit } : {}),
    };
    await recordFault(pool, this.#live.generation, fault).catch((err: unknown) =>
      logger.warn({ err }, 'projection fault not recorded'),
    );
  }

  async #recovered(): Promise<void> {
    if (this.#position < this.#carefulUntil) return;
    const { environment, projection } = this.#options;
    this.#failures = 0;
    this.#limit = MOST_EVENTS;
    environment.metrics?.gauge('projection_faulted', 0, { projection: projection.name });
    await recordFault(environment.pool, this.#running().generation, undefined);
    this.#mayShowFault = false;
  }

  #stored(position: Position): void {
    this.#live = { generation: this.#running().generation, stored: position };
    this.#position = position;
    this.#writtenAt = performance.now();
    this.#report();
  }

  #running(): { readonly generation: Generation; readonly stored: Position } {
    if (!this.#live) throw new Error(`${this.#options.projection.name} was not taken over`);
    return this.#live;
  }

  #report(): void {
    this.#options.advanced(this.#options.projection.name, this.#position);
  }
}

/** The event that a batch of one consists of. */
function onlyEvent(batch: Batch | undefined) {
  const [first, second] = batch?.events ?? [];
  if (first && !second) return described(first.event.type, first);
  if (!first && batch?.broken) return described(batch.broken.stored.type, batch.broken.stored);
  return undefined;
}

function described(type: string, at: Pick<BrokenEvent['stored'], 'position' | 'stream' | 'revision'>) {
  return { position: `${at.position}`, stream: at.stream, revision: at.revision, type };
}
