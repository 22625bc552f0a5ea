import { accepted, type Decider, type Decision, rejected, unreachable } from '../decider.ts';
import type { ApiKeyCommand, ApiKeyRejection } from './commands.ts';
import type { ApiKeyEvent } from './events.ts';

/** `unseen`: no event yet. Keys may be older than their events, so it can be rotated and revoked all the same. */
export type ApiKey = 'unseen' | 'working' | 'revoked';

type KeyDecision = Decision<ApiKeyEvent, ApiKeyRejection>;

/** A key to the service: made once, rotated at will, revoked for good. */
export const apiKeyDecider: Decider<ApiKeyCommand, ApiKey, ApiKeyEvent, ApiKeyRejection> = {
  initial: () => 'unseen',
  evolve,
  decide,
};

function evolve(_key: ApiKey, event: ApiKeyEvent): ApiKey {
  switch (event.type) {
    case 'ApiKeyCreated':
    case 'ApiKeyRotated':
      return 'working';
    case 'ApiKeyRevoked':
      return 'revoked';
    default:
      return unreachable(event);
  }
}

function decide(command: ApiKeyCommand, state: ApiKey): KeyDecision {
  const { key, reason, at } = command;
  switch (command.type) {
    case 'CreateKey': {
      if (state !== 'unseen') return accepted<ApiKeyEvent>();
      const { expiresAt } = command;
      return accepted<ApiKeyEvent>({ type: 'ApiKeyCreated', data: { ...key, expiresAt, reason } });
    }
    case 'RotateKey': {
      const { endsAt, graceMs, expiresAt } = command;
      if (state === 'revoked' || (endsAt !== undefined && at >= endsAt)) return rejected('key_ended');
      const previousUntil = graceMs > 0 ? at + graceMs : undefined;
      const data = { ...key, previousUntil, expiresAt, reason };
      return accepted<ApiKeyEvent>({ type: 'ApiKeyRotated', data });
    }
    case 'RevokeKey':
      if (state === 'revoked') return accepted<ApiKeyEvent>();
      return accepted<ApiKeyEvent>({ type: 'ApiKeyRevoked', data: { ...key, reason } });
    default:
      return unreachable(command);
  }
}
