import { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import { describe, expect, it } from 'vitest';
import { type OpenRequest, OpenRequests } from '../../src/adapters/http/open-requests.ts';

const response = () => new EventEmitter() as ServerResponse;

/** Opens as many as the holder gets, a thousand at most. */
function openAll(requests: OpenRequests, holder: string | null): OpenRequest[] {
  const opened: OpenRequest[] = [];
  try {
    while (opened.length < 1_000) opened.push(requests.open(response(), holder));
  } catch (error) {
    expect(error).toMatchObject({ code: 'too-many-requests' });
  }
  return opened;
}

describe('requests that stay open', () => {
  it('leave room for others, however many one tenant asks for', () => {
    const requests = new OpenRequests(200, () => undefined);
    const shares = ['evil', 'acme', 'b', 'c'].map((holder) => openAll(requests, holder).length);
    expect(shares[0]).toBe(150);
    expect(shares.every((share) => share > 0)).toBe(true);
  });

  it('are taken up to the last one by the platform', () => {
    const requests = new OpenRequests(200, () => undefined);
    expect(openAll(requests, null)).toHaveLength(200);
    expect(openAll(requests, 'acme')).toHaveLength(0);
  });

  it('give a share back when they end, once', () => {
    const requests = new OpenRequests(8, () => undefined);
    const [first] = openAll(requests, 'acme');
    expect(openAll(requests, 'acme')).toHaveLength(0);
    first?.[Symbol.dispose]();
    first?.[Symbol.dispose]();
    expect(openAll(requests, 'acme')).toHaveLength(1);
  });

  it('are allowed one at least', () => {
    const requests = new OpenRequests(1, () => undefined);
    expect(openAll(requests, 'acme')).toHaveLength(1);
  });
});
