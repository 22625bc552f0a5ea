import { randomUUID } from 'node:crypto';
import streamsPb, { type ReadReq, type ReadResp } from '@eventstore/db-client/generated/streams_pb.js';
import grpc from '@grpc/grpc-js';
import { eventAnswer, serverError } from './protocol.ts';
import { type ReadCall, send } from './read-calls.ts';
import type { RecordedEvent, StoredStreams } from './stored-streams.ts';

type Matches = (event: RecordedEvent) => boolean;

const DEFAULT_SEARCH_WINDOW = 32;

/** Subscriptions to $all: what is there, the word that it was all, then what comes. */
export async function answerSubscription(
  call: ReadCall,
  streams: StoredStreams,
  saysCaughtUp = true,
): Promise<void> {
  const options = call.request.getOptions();
  if (!options?.hasAll()) {
    call.emit('error', serverError(grpc.status.UNIMPLEMENTED, 'only $all can be subscribed to'));
    return;
  }
  const changed = new Signal();
  const leave = streams.onAppended(() => changed.give());
  for (const event of ['cancelled', 'close', 'error']) call.once(event, () => changed.give());
  try {
    await follow(call, options, streams, { changed, saysCaughtUp });
  } finally {
    leave();
  }
}

async function follow(
  call: ReadCall,
  options: ReadReq.Options,
  { all }: StoredStreams,
  { changed, saysCaughtUp }: { readonly changed: Signal; readonly saysCaughtUp: boolean },
): Promise<void> {
  const matches = matcher(options.getFilter());
  const windowSize = checkpointEvery(options.getFilter());
  let next = firstAfter(all, options.getAll());
  let scanned = 0;
  let caughtUp = false;
  if (!(await send(call, confirmation()))) return;
  if (windowSize > 0 && !(await send(call, checkpoint(all[next - 1]?.position ?? 0n)))) return;
  for (;;) {
    const event = all[next];
    if (event) {
      next += 1;
      scanned += 1;
      if (matches(event) && !(await send(call, eventAnswer(event)))) return;
      if (windowSize > 0 && scanned % windowSize === 0 && !(await send(call, checkpoint(event.position)))) {
        return;
      }
    } else if (caughtUp) {
      await changed.given();
      if (call.cancelled || call.destroyed) return;
    } else {
      caughtUp = true;
      if (saysCaughtUp && !(await send(call, caughtUpAnswer()))) return;
    }
  }
}

/** Exclusive, other than in a read. */
function firstAfter(all: readonly RecordedEvent[], from: ReturnType<ReadReq.Options['getAll']>): number {
  if (from?.hasEnd()) return all.length;
  const position = from?.hasPosition() ? BigInt(from.getPosition()?.getCommitPosition() ?? 0) : -1n;
  let low = 0;
  let high = all.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((all[middle]?.position ?? 0n) > position) high = middle;
    else low = middle + 1;
  }
  return low;
}

function matcher(filter: ReadReq.Options.FilterOptions | undefined): Matches {
  const expression = filter?.getStreamIdentifier() ?? filter?.getEventType();
  if (!expression) return () => true;
  const subject: (event: RecordedEvent) => string = filter?.hasStreamIdentifier()
    ? ({ stream }) => stream
    : ({ type }) => type;
  const prefixes = expression.getPrefixList();
  if (prefixes.length > 0) return (event) => prefixes.some((prefix) => subject(event).startsWith(prefix));
  const regex = new RegExp(expression.getRegex());
  return (event) => regex.test(subject(event));
}

function checkpointEvery(filter: ReadReq.Options.FilterOptions | undefined): number {
  if (!filter) return 0;
  return (
    (filter.hasMax() ? filter.getMax() : DEFAULT_SEARCH_WINDOW) * filter.getCheckpointintervalmultiplier()
  );
}

function confirmation(): ReadResp {
  const confirmed = new streamsPb.ReadResp.SubscriptionConfirmation();
  confirmed.setSubscriptionId(randomUUID());
  const answer = new streamsPb.ReadResp();
  answer.setConfirmation(confirmed);
  return answer;
}

function checkpoint(position: bigint): ReadResp {
  const reached = new streamsPb.ReadResp.Checkpoint();
  reached.setCommitPosition(String(position));
  reached.setPreparePosition(String(position));
  const answer = new streamsPb.ReadResp();
  answer.setCheckpoint(reached);
  return answer;
}

function caughtUpAnswer(): ReadResp {
  const answer = new streamsPb.ReadResp();
  answer.setCaughtUp(new streamsPb.ReadResp.CaughtUp());
  return answer;
}

/** Given while nobody waits, it ends the next wait at once. */
class Signal {
  #isGiven = false;
  #waiting: (() => void) | undefined;

  give(): void {
    this.#isGiven = true;
    this.#waiting?.();
  }

  async given(): Promise<void> {
    if (!this.#isGiven)
      await new Promise<void>((resolve) => {
        this.#waiting = resolve;
      });
    this.#isGiven = false;
    this.#waiting = undefined;
  }
}
