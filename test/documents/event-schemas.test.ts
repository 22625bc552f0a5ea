import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { CloudEvent } from 'cloudevents';
import { describe, expect, it } from 'vitest';
import { dataSchemas } from '../../src/adapters/cloudevents/data-schema.ts';
import { EVENT_SCHEMAS, PUBLIC_EVENT_TYPES } from '../../src/adapters/cloudevents/event-schemas.ts';
import { schemaFiles } from '../../src/adapters/cloudevents/json-schemas.ts';
import { EVENT_SOURCE, toCloudEvent } from '../../src/adapters/cloudevents/to-cloud-event.ts';
import type { DecodedEvent } from '../../src/commands/decoded-event.ts';
import { jobEventDefinitions } from '../../src/commands/job-codec.ts';
import { LOG_START } from '../../src/commands/ports.ts';
import { SETTING_LIST } from '../../src/config.ts';
import type { JobEvent } from '../../src/domain/job/events.ts';
import type { TenantQuotaEvent } from '../../src/domain/tenant-quota/events.ts';
import { QUOTA_EVENTS } from '../support/public-quota-events.ts';

const document = readFileSync(new URL('../../docs/events.md', import.meta.url), 'utf8');

const RFC_3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;
const ajv = new Ajv2020({ allErrors: true, strict: true, formats: { 'date-time': RFC_3339 } });
const open = new Map(
  schemaFiles().map(({ text }) => {
    const schema = JSON.parse(text) as { $id: string; title: string };
    return [schema.title, { schema, validate: ajv.compile(schema) }];
  }),
);
/** Readers must put up with new fields; we must not send any that is not promised. */
const closed = new Map(
  [...open].map(([type, { schema }]) => [
    type,
    ajv.compile({ ...schema, $id: `${schema.$id}:closed`, additionalProperties: false }),
  ]),
);

function problemsOf(type: string, data: unknown): string {
  const validate = closed.get(type);
  if (!validate) return `no schema for ${type}`;
  return validate(data) ? '' : ajv.errorsText(validate.errors);
}

describe('what is sent', () => {
  const events = Object.keys(jobEventDefinitions).flatMap(examples);
  const sent = [...events.map(decoded), ...QUOTA_EVENTS.map(decodedQuota)].flatMap(
    (event) => toCloudEvent(event) ?? [],
  );

  it('is of every public type', () => {
    expect([...new Set(sent.map(({ type }) => type))].sort()).toEqual([...PUBLIC_EVENT_TYPES].sort());
  });

  it.each(sent.map(({ type, data }) => [type, data]))('as %s is what its schema says: %s', (type, data) => {
    expect(problemsOf(type, JSON.parse(data))).toBe('');
    expect(
      EVENT_SCHEMAS[type as keyof typeof EVENT_SCHEMAS].safeParse(JSON.parse(data)).error,
    ).toBeUndefined();
  });

  it('names its schema: by URN, or where the service is reached', () => {
    for (const event of sent) {
      expect(event.attributes.dataschema).toBe(open.get(event.type)?.schema.$id);
      expect(() => new CloudEvent(JSON.parse(event.json), true)).not.toThrow();
    }
    const schemas = dataSchemas('https://jobs.example.com');
    expect(schemas['eventzr.jobs.dlq.purged.v1']).toBe(
      'https://jobs.example.com/schemas/eventzr.jobs.dlq.purged.v1.json',
    );
    const started = examples('JobStarted').map((event) => toCloudEvent(decoded(event), schemas));
    expect(started[0]?.json).toContain(`"dataschema":"${schemas['eventzr.jobs.started.v1']}"`);
  });
});

describe('the schemas', () => {
  it('refuse what is not promised', () => {
    const started = { tenantId: 'a', jobId: 'j', type: 't', queue: 'q', priority: 5, status: 'running' };
    const type = 'eventzr.jobs.started.v1';
    expect(problemsOf(type, { ...started, attempt: 1, workerId: 'w' })).toBe('');
    expect(problemsOf(type, { ...started, attempt: 1 })).toContain("required property 'workerId'");
    expect(problemsOf(type, { ...started, attempt: '1', workerId: 'w' })).toContain('must be integer');
    expect(problemsOf(type, { ...started, attempt: 1, workerId: 'w', leaseId: 'x' })).toContain('additional');
    expect(problemsOf(type, { ...started, status: 'queued', attempt: 1, workerId: 'w' })).toContain(
      'allowed',
    );
  });

  it('let later versions add fields', () => {
    const data = { tenantId: 'a', jobId: 'j', type: 't', queue: 'q', priority: 5, status: 'completed' };
    expect(open.get('eventzr.jobs.completed.v1')?.validate({ ...data, attempt: 1, later: true })).toBe(true);
  });
});

describe('docs/events.md', () => {
  it('lists every topic with its owner, key, retention and schema', () => {
    const retentionMs = SETTING_LIST.find(({ name }) => name === 'KAFKA_TOPIC_RETENTION_MS')?.standard;
    const days = `${Number(retentionMs) / 86_400_000} days`;
    const rows = [...document.matchAll(/^\| `(eventzr\.[\w.]+)` \| (\w+) \| (.+) \|$/gm)];
    expect(rows.map(([, type, , rest]) => [type, rest])).toEqual(
      PUBLIC_EVENT_TYPES.map((type) => [
        type,
        `\`${EVENT_SOURCE}\` | tenant id | ${days} | [${type}.json](../schemas/${type}.json)`,
      ]),
    );
    for (const [, type, event] of rows) expect(document).toContain(`### ${event}: \`${type}\`\n`);
  });

  it('shows a whole event', () => {
    const [, text = ''] = /```json\n(.*?)```/s.exec(document.slice(document.indexOf('## The feed'))) ?? [];
    const event = JSON.parse(text) as Record<string, unknown>;
    expect(new CloudEvent(event, true).data).toEqual(event.data);
    expect(problemsOf(String(event.type), event.data)).toBe('');
    const example = examples('JobStarted').flatMap((started) => toCloudEvent(decoded(started)) ?? [])[0];
    const members = Object.entries(example?.attributes ?? {}).filter(([, value]) => value !== undefined);
    expect(Object.keys(event).sort()).toEqual(['data', ...members.map(([name]) => name)].sort());
  });

  it.each(PUBLIC_EVENT_TYPES)('shows an example of %s that is as its schema says', (type) => {
    const section = document.split(/^### /m).find((text) => text.split('\n')[0]?.endsWith(`: \`${type}\``));
    const [, text = 'null'] = /```json\n(.*?)```/s.exec(section ?? '') ?? [];
    expect(problemsOf(type, JSON.parse(text))).toBe('');
  });
});

function examples(type: string): readonly JobEvent[] {
  const fixture = new URL(`../fixtures/events/${type}.v1.json`, import.meta.url);
  const { examples } = JSON.parse(readFileSync(fixture, 'utf8')) as { examples: { event: JobEvent }[] };
  return examples.map(({ event }) => event);
}

const metadata = {
  tenantId: 'acme',
  actor: { id: 'k1', auth: 'api_key' },
  correlationId: 'c1',
  causationId: 'c2',
  occurredAt: 0,
} as const;
const place = { tenantId: 'acme', revision: 0, position: LOG_START, recordedAt: 0, metadata };

function decoded(event: JobEvent): DecodedEvent {
  return { aggregate: 'job', stream: 'job-acme.j1', jobId: 'j1', event, ...place };
}

function decodedQuota(event: TenantQuotaEvent): DecodedEvent {
  return { aggregate: 'tenant_quota', stream: 'quota-acme', event, ...place };
}
