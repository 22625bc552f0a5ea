import { describe, expect, it } from 'vitest';
import type { ApiKeyCommand } from '../../src/domain/api-key/commands.ts';
import { apiKeyDecider } from '../../src/domain/api-key/decider.ts';
import type { ApiKeyEvent } from '../../src/domain/api-key/events.ts';

const key = { name: 'shop', tenants: ['acme'], role: 'producer' };
const at = 1_000;

const created: ApiKeyEvent = { type: 'ApiKeyCreated', data: key };
const rotated: ApiKeyEvent = { type: 'ApiKeyRotated', data: key };
const revoked: ApiKeyEvent = { type: 'ApiKeyRevoked', data: key };

const create: ApiKeyCommand = { type: 'CreateKey', key, expiresAt: 5_000, reason: 'new', at };
const rotate = (more: object = {}): ApiKeyCommand => ({ type: 'RotateKey', key, graceMs: 0, at, ...more });
const revoke: ApiKeyCommand = { type: 'RevokeKey', key, reason: 'leaked', at };

function given(...events: readonly ApiKeyEvent[]) {
  const state = events.reduce(
    (before, event) => apiKeyDecider.evolve(before, event, 0),
    apiKeyDecider.initial(),
  );
  return { when: (command: ApiKeyCommand) => apiKeyDecider.decide(command, state) };
}

const accepted = (...events: readonly unknown[]) => ({ kind: 'accepted', events });

describe('a key', () => {
  it('is made once', () => {
    expect(given().when(create)).toEqual(
      accepted({ type: 'ApiKeyCreated', data: { ...key, expiresAt: 5_000, reason: 'new' } }),
    );
    expect(given(created).when(create)).toEqual(accepted());
  });

  it('is rotated, with a grace for the secret before or without one', () => {
    expect(given(created).when(rotate())).toEqual(
      accepted({ type: 'ApiKeyRotated', data: { ...key, previousUntil: undefined } }),
    );
    expect(given(created, rotated).when(rotate({ graceMs: 500, expiresAt: 9_000 }))).toEqual(
      accepted({ type: 'ApiKeyRotated', data: { ...key, previousUntil: 1_500, expiresAt: 9_000 } }),
    );
  });

  it('is revoked once, and nothing brings it back', () => {
    expect(given(created).when(revoke)).toEqual(
      accepted({ type: 'ApiKeyRevoked', data: { ...key, reason: 'leaked' } }),
    );
    expect(given(created, revoked).when(revoke)).toEqual(accepted());
    expect(given(created, revoked).when(rotate())).toEqual({ kind: 'rejected', reason: 'key_ended' });
  });

  it('that has expired is not rotated, but revoked', () => {
    expect(given(created).when(rotate({ endsAt: 1_000 }))).toEqual({ kind: 'rejected', reason: 'key_ended' });
    expect(given(created).when(rotate({ endsAt: 1_001 })).kind).toBe('accepted');
    expect(given(created).when(revoke).kind).toBe('accepted');
  });

  it('that is older than its events is rotated and revoked like any other', () => {
    expect(given().when(rotate())).toEqual(accepted({ ...rotated, data: { ...key } }));
    expect(given().when(revoke)).toEqual(
      accepted({ type: 'ApiKeyRevoked', data: { ...key, reason: 'leaked' } }),
    );
  });
});
