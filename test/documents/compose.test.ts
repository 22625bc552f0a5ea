import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { ROLES, readConfig, SETTING_LIST } from '../../src/config.ts';

interface Service {
  readonly image: string;
  readonly build?: { readonly context: string; readonly target: string };
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, unknown>>;
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly deploy?: { readonly replicas: number };
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
}

const read = (name: string): string => readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8');
const compose = parse(read('docker-compose.yml'), { merge: true }) as {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
};
const dockerfile = read('Dockerfile');
const services = Object.entries(compose.services);
const ours = services.filter(([, { build }]) => build?.target === 'service');
const examples = services.filter(([, { build }]) => build?.target === 'webhooks');

/** As Compose puts it in when nothing is set outside. */
const interpolated = (text: string): string =>
  text.replaceAll(/\$\{\w+:-([^}]*)\}/g, '$1').replaceAll('$$', '$');

const settingsOf = ({ environment = {} }: Service): Record<string, string> =>
  Object.fromEntries(Object.entries(environment).map(([name, value]) => [name, interpolated(String(value))]));

describe('docker-compose.yml', () => {
  it('has all the parts, and two workers', () => {
    expect(services.map(([name]) => name)).toEqual(
      expect.arrayContaining(['postgres', 'eventstoredb', 'kafka', 'kafka-ui', 'api', 'webhook-worker']),
    );
    expect(compose.services['webhook-worker']?.deploy?.replicas).toBe(2);
  });

  it.each(services)('says when %s is healthy, and only waits for what is', (_, service) => {
    expect(service.healthcheck?.test.slice(0, 1)).toEqual(['CMD']);
    expect(service.healthcheck?.test.length).toBeGreaterThan(1);
    for (const [other, { condition }] of Object.entries(service.depends_on ?? {})) {
      expect(condition).toBe('service_healthy');
      expect(Object.keys(compose.services)).toContain(other);
    }
  });

  it('pins every image that is not built here, to a full version', () => {
    const loose = services.filter(
      ([, { image, build }]) => !build && !/:v?\d+(\.\d+)+(-[\w.-]+)?$/.test(image),
    );
    expect(loose.map(([name]) => name)).toEqual([]);
  });

  it('splits the roles over the services, each in one place', () => {
    const roles = ours.flatMap(([, service]) => settingsOf(service).ROLES?.split(',') ?? []);
    expect(roles.sort()).toEqual([...ROLES].sort());
  });

  it.each(ours)('gives %s a configuration that is right', (_, service) => {
    const settings = settingsOf(service);
    const known = SETTING_LIST.map(({ name }) => name);
    expect(Object.keys(settings).filter((name) => !known.includes(name))).toEqual([]);
    const invocation = readConfig([], settings);
    if (invocation.kind !== 'serve') throw new Error('expected a configuration');
    expect(invocation.config.databaseUrl).toContain('@postgres:5432/');
    expect(invocation.config.kafka?.connection.brokers).toEqual(['kafka:19092']);
    expect(compose.services.kafka?.environment?.KAFKA_ADVERTISED_LISTENERS).toContain('//kafka:19092,');
  });

  it.each(examples)('runs a file of the example as %s, with settings that it reads', (_, service) => {
    const [file] = /examples\/webhooks\/[\w-]+\.ts/.exec(service.command?.join(' ') ?? '') ?? [];
    expect(existsSync(new URL(`../../${file}`, import.meta.url))).toBe(true);
    const code = [file ?? '', 'examples/webhooks/webhook-job.ts'].map(read).join();
    const unread = Object.keys(service.environment ?? {}).filter(
      (name) => !code.includes(`process.env.${name} `) && name !== 'DATABASE_URL',
    );
    expect(unread).toEqual([]);
  });

  it('keeps data in named volumes, and opens ports to this machine only', () => {
    const volumes = services
      .flatMap(([, service]) => service.volumes ?? [])
      .map((text) => text.split(':')[0]);
    expect(volumes.sort()).toEqual(Object.keys(compose.volumes).sort());
    const ports = services.flatMap(([, service]) => service.ports ?? []);
    expect(ports.filter((port) => !port.startsWith('127.0.0.1:'))).toEqual([]);
    expect(new Set(ports.map(interpolated)).size).toBe(ports.length);
  });

  it('holds no secret', () => {
    const text = JSON.stringify(compose);
    expect(text).not.toMatch(/password|secret|ezk_/i);
    expect(text).not.toMatch(/:\/\/[^"/@]*:[^"/@]*@/);
  });
});

describe('the Dockerfile', () => {
  it('builds every target that is used, the service by default', () => {
    const stages = [...dockerfile.matchAll(/^FROM \S+ AS (\w+)$/gm)].map(([, name]) => name);
    expect(stages).toEqual(expect.arrayContaining(['service', 'webhooks']));
    expect(stages.at(-1)).toBe('service');
  });

  it('is on the Node.js of the project', () => {
    const { dependencies } = JSON.parse(read('package.json')) as { dependencies: { node: string } };
    const bases = [...dockerfile.matchAll(/^FROM (node:\S+)/gm)].map(([, base]) => base);
    expect(new Set(bases)).toEqual(new Set([`node:${dependencies.node}-bookworm-slim`]));
  });

  it('runs as an ordinary user and says whether it lives', () => {
    const service = dockerfile.slice(dockerfile.indexOf(' AS service'));
    expect(service).toMatch(/^USER node$/m);
    const [, check = ''] = /^HEALTHCHECK .+\\\n\s+CMD (\[.+\])$/m.exec(service) ?? [];
    expect(JSON.parse(check)).toEqual(['node', '-e', expect.stringContaining('/livez')]);
  });

  it('copies nothing that .dockerignore keeps out', () => {
    const allowed = [...read('.dockerignore').matchAll(/^!(\S+)$/gm)].map(([, name]) => name ?? '');
    const missing = allowed.filter((name) => !existsSync(new URL(`../../${name}`, import.meta.url)));
    expect(missing).toEqual([]);
    const copies = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)];
    const files = copies.flatMap(([, list = '']) => list.split(' ')).filter((name) => name !== '.');
    expect(files.filter((name) => !allowed.includes(name))).toEqual([]);
  });
});
