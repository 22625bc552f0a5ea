import { describe, expect, it } from 'vitest';
import type { Config } from '../src/config.ts';
import { readConfig } from '../src/config.ts';
import { asJsonText } from '../src/domain/json-text.ts';

function config(environment: Readonly<Record<string, string>>): Config {
  const invocation = readConfig([], environment);
  if (invocation.kind !== 'serve') throw new Error('expected a configuration');
  return invocation.config;
}

function problems(environment: Readonly<Record<string, string>>): string {
  try {
    readConfig([], environment);
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('the configuration was taken');
}

describe('settings of an identity provider', () => {
  it('are none by themselves', () => {
    expect(config({}).tokens).toBeUndefined();
  });

  it('translate its words', () => {
    const { tokens } = config({
      JWT_ISSUER: 'https://id.example.com',
      JWT_AUDIENCE: 'jobs',
      JWT_ROLES: 'ops=operator, dev=viewer',
    });
    expect(tokens).toEqual({
      issuer: 'https://id.example.com',
      audience: 'jobs',
      jwksUrl: undefined,
      tenantClaim: 'tenant_id',
      roleClaim: 'role',
      roles: new Map([
        ['ops', 'operator'],
        ['dev', 'viewer'],
      ]),
    });
  });

  it.each([
    [{ JWT_ISSUER: 'https://id.example.com' }, /JWT_AUDIENCE: JWT_ISSUER needs it/],
    [{ JWT_JWKS_URL: 'https://id.example.com/keys' }, /JWT_JWKS_URL: means nothing without JWT_ISSUER/],
    [{ JWT_ISSUER: 'id.example.com', JWT_AUDIENCE: 'jobs' }, /JWT_ISSUER: must look like https:/],
    [{ JWT_ROLES: 'ops=emperor' }, /JWT_ROLES: must look like ops=operator/],
    [{ JWT_ROLES: 'ops' }, /JWT_ROLES: must look like/],
  ])('are refused when they are %j', (environment, message) => {
    expect(problems(environment as Record<string, string>)).toMatch(message);
  });
});

describe('rules for what is hidden', () => {
  it('are by role', () => {
    const { redactions } = config({ REDACT: "viewer:$.card.number, $['a b'];producer:error" });
    const text = asJsonText('{"card":{"number":4111},"a b":[1]}');
    expect(redactions.viewer?.content(text)).toBe('{"card":{"number":"[redacted]"},"a b":"[redacted]"}');
    expect(redactions.producer?.content(text)).toBe(text);
    expect(redactions.producer?.error({ message: 'm', stack: 's' })).toEqual({
      message: '[redacted]',
      stack: '[redacted]',
    });
    expect(redactions.viewer?.error({ message: 'm' })).toEqual({ message: 'm' });
    expect(redactions.admin).toBeUndefined();
  });

  it.each(['viewer', 'emperor:$.a', 'viewer:a.b', 'viewer:$.a;viewer:$.b', 'viewer:$..a', 'viewer:'])(
    'are refused when they are %j',
    (text) => {
      expect(problems({ REDACT: text })).toMatch(/REDACT: must look like viewer:/);
    },
  );
});
