import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type TestApi, testApi } from '../support/api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await testApi({ metricsText: async () => 'eventzr_up 1' });
});
afterAll(() => api?.[Symbol.asyncDispose]());

const get = (url: string) => api.call('GET', url);

it('no answer is taken for another type than it says', async () => {
  const paths = ['/livez', '/metrics', '/openapi.json', '/docs/', '/docs/static/swagger-ui.css', '/v1/jobs'];
  const problems = ['/nothing', '/v1/jobs/unknown', '/v1/jobs/%E0%A4%A', '/problems/unknown'];
  for (const path of [...paths, '/problems/not-found', '/schemas/eventzr.jobs.failed.v1.json', ...problems]) {
    expect((await get(path)).headers, path).toMatchObject({ 'x-content-type-options': 'nosniff' });
  }
});

describe.each(['/docs', '/docs/', '/problems/not-found', '/docs/static/oauth2-redirect.html'])(
  'the page %s',
  (path) => {
    it('may load from here alone, is shown in no frame, and tells nobody where one came from', async () => {
      const { statusCode, headers } = await get(path);
      expect(statusCode).toBe(200);
      expect(headers).toMatchObject({ 'x-frame-options': 'DENY', 'referrer-policy': 'no-referrer' });
      const policy = String(headers['content-security-policy']).split('; ');
      expect(policy).toEqual(
        expect.arrayContaining(["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"]),
      );
      expect(policy.join()).not.toMatch(/unsafe|\*|https?:/);
    });

    it('holds nothing that its own policy would refuse, and all it loads is there', async () => {
      const { body } = await get(path);
      expect(body).not.toMatch(/<style|<script(?![^>]*\bsrc=)|\son[a-z]+=|\sstyle=/i);
      const links = [...body.matchAll(/<(script|link|img)\b[^>]*?\b(?:src|href)="([^"]+)"/g)];
      expect(links.length).toBe(path.endsWith('html') ? 1 : path.startsWith('/docs') ? 7 : 0);
      for (const [, tag, link = ''] of links) {
        const url = new URL(link, `http://here${path}`);
        const { statusCode, headers } = await get(url.pathname);
        const types = tag === 'script' ? /javascript/ : /^(text\/css|image\/)/;
        expect([url.host, statusCode], link).toEqual(['here', 200]);
        expect(headers['content-type'], link).toMatch(types);
      }
    });
  },
);

it('answers of the API carry no policy for pages', async () => {
  expect((await get('/v1/jobs')).headers).not.toHaveProperty('content-security-policy');
});
