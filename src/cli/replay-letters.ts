import type {
  InboxDeadLettersReplayed,
  ReplayInboxDeadLettersRequest,
} from '../adapters/http/contract/inbound.ts';
import { CliError } from './cli-error.ts';
import { numberText, plainText } from './format.ts';
import type { Session } from './session.ts';

const PAGE = 100;

type Sum = Omit<InboxDeadLettersReplayed, 'nextCursor'>;

/**
 * Replays all messages that match, page after page. Those that were carried out no longer match: interrupted, it goes on
 * when it is started again.
 */
export async function replayLetters(
  { client, out, signal }: Session,
  order: ReplayInboxDeadLettersRequest,
): Promise<void> {
  let sum: Sum = { seen: 0, replayed: 0, left: 0, errors: [] };
  let cursor: string | undefined;
  do {
    const given = cursor === undefined ? {} : { cursor };
    const page = await client.inbound.deadLetters.replayAll({ ...order, ...given, limit: PAGE });
    sum = added(sum, page);
    cursor = page.nextCursor ?? undefined;
    if (cursor === undefined) break;
    if (!out.json) out.note(`${numberText(sum.replayed)} replayed, ${numberText(sum.left)} left …`);
  } while (!signal.aborted);
  await out.result(sum, () => sumText(sum));
  if (cursor !== undefined) throw new CliError('interrupted; the same command goes on with the others');
}

function added(sum: Sum, page: Sum): Sum {
  const counts = new Map(sum.errors.map(({ error, messages }) => [error, messages]));
  for (const { error, messages } of page.errors) counts.set(error, (counts.get(error) ?? 0) + messages);
  const errors = [...counts].map(([error, messages]) => ({ error, messages }));
  return {
    seen: sum.seen + page.seen,
    replayed: sum.replayed + page.replayed,
    left: sum.left + page.left,
    errors: errors.sort((one, other) => other.messages - one.messages).slice(0, 10),
  };
}

function sumText({ seen, replayed, left, errors }: Sum): string {
  if (seen === 0) return 'no message matches';
  const head = `${numberText(replayed)} replayed, ${numberText(left)} left`;
  return [head, ...errors.map(({ error, messages }) => `${numberText(messages)}  ${plainText(error)}`)].join(
    '\n',
  );
}
