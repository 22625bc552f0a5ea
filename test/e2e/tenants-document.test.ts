import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { planDocument } from '../../src/commands/plans/plan-terms.ts';
import { runCli } from '../support/cli.ts';
import { type CliService, cliService } from '../support/cli-service.ts';
import { withinOneDay } from '../support/within-one-day.ts';

const document = readFileSync(new URL('../../docs/tenants-and-quotas.md', import.meta.url), 'utf8');
const blocks = (language: string): readonly string[] =>
  Array.from(
    document.matchAll(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, 'g')),
    ([, text = '']) => text,
  );

/** Words of a shell line; what is quoted is one word. */
const wordsOf = (line: string): readonly string[] =>
  Array.from(line.matchAll(/'([^']*)'|(\S+)/g), ([, quoted, plain]) => quoted ?? plain ?? '');

const LONGEST_MS = 240_000;

let service: CliService;
beforeAll(() => withinOneDay(LONGEST_MS), LONGEST_MS + 10_000);
beforeAll(async () => {
  service = await cliService();
});
afterAll(() => service[Symbol.asyncDispose]());

describe('docs/tenants-and-quotas.md', () => {
  it(
    'has commands that do what they say',
    async () => {
      const lines = blocks('sh').flatMap((block) => block.trimEnd().split('\n'));
      expect(lines.length).toBeGreaterThan(15);
      const { JOBS_TENANT: _, ...env } = service.env;
      const exported: Record<string, string> = {};
      for (const line of lines) {
        const [command = '', comment] = line.split(/ +# /);
        const [npx, program, ...args] = wordsOf(command);
        if (npx === 'export' && program) {
          const [name = '', value = ''] = program.split('=');
          exported[name] = value;
          continue;
        }
        expect([npx, program]).toEqual(['npx', 'eventzr-jobs']);
        const { code, out, err } = await runCli(args, {
          env: { ...env, ...exported },
          cwd: service.folder,
        });
        expect(code, `${line}\n${out}${err}`).toBe(comment === 'refused' ? 1 : 0);
      }
    },
    LONGEST_MS,
  );

  it('shows a refusal as it is, and plans that can be read', async () => {
    const [refusal, plans] = blocks('json').map((text) => JSON.parse(text));
    for (const plan of Object.values(plans)) expect(planDocument.safeParse(plan).success).toBe(true);
    const tenant = `/v1/tenants/shown`;
    const call = (method: string, path: string, body: unknown) =>
      fetch(service.url + path, {
        method,
        headers: {
          authorization: `Bearer ${service.key}`,
          'on-behalf-of': 'shown',
          'content-type': 'application/json',
        },
        body: JSON.stringify(body),
      });
    await call('PUT', `${tenant}/quota`, { limits: { jobsPerDay: 2 } });
    for (let jobs = 0; jobs < 2; jobs += 1) await call('POST', '/v1/jobs', { type: 't' });
    const answer = await call('POST', '/v1/jobs', { type: 't' });
    const found = (await answer.json()) as { readonly quota: { readonly resetAt: string } };
    const { resetAt } = found.quota;
    expect({ ...found, requestId: refusal.requestId }).toEqual(
      JSON.parse(JSON.stringify(refusal).replaceAll(refusal.quota.resetAt, resetAt)),
    );
    expect(document).toContain(answer.headers.get('ratelimit-policy'));
    expect(answer.headers.get('ratelimit')).toMatch(/^"jobsPerDay";r=0;t=\d+$/);
  });
});
