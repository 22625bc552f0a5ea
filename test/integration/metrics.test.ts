import { globSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { prometheusMetrics } from '../../src/adapters/metrics.ts';
import { METRICS } from '../../src/adapters/metrics-catalogue.ts';

const TYPES = { count: 'counter', gauge: 'gauge', gauges: 'gauge', observe: 'histogram' } as const;
const SUFFIXES = { count: /_total$/, gauge: /$^/, gauges: /$^/, observe: /_seconds$/ } as const;

/** Every figure that the source reports, by reading it. */
function reported(): ReadonlyMap<string, string> {
  const root = new URL('../../src/', import.meta.url).pathname;
  const found = new Map<string, string>();
  for (const file of globSync('**/*.ts', { cwd: root })) {
    const text = readFileSync(root + file, 'utf8');
    for (const match of text.matchAll(/etrics\??\.(count|gauges?|observe)\(\s*['`]([a-z_${}]+)['`]/g)) {
      const method = match[1] as keyof typeof TYPES;
      const name = (match[2] ?? '').replace(SUFFIXES[method], '');
      for (const one of meantBy(name, TYPES[method])) found.set(one, TYPES[method]);
    }
  }
  return found;
}

/** The name itself; of one that is put together, all declared ones that it can become. */
function meantBy(name: string, type: string): readonly string[] {
  if (!name.includes('$')) return [name];
  const pattern = new RegExp(`^${name.replaceAll(/\$\{[a-z]+\}/g, '[a-z]+')}$`);
  return Object.keys(METRICS).filter(
    (declared) => pattern.test(declared) && METRICS[declared]?.type === type,
  );
}

describe('metrics', () => {
  it('are declared as they are reported, and no others', () => {
    const declared = Object.entries(METRICS).map(([name, { type }]) => `${type} ${name}`);
    const used = [...reported()].map(([name, type]) => `${type} ${name}`);
    expect(used.length).toBeGreaterThan(20);
    expect(used.toSorted()).toEqual(declared.toSorted());
  });

  it('come out as Prometheus wants them', async () => {
    const metrics = prometheusMetrics();
    metrics.count('event_log_append_events', 3);
    metrics.gauge('leader', 1, { name: 'timers' });
    metrics.observe('event_log_append', 0.002);
    metrics.gauges('tenant_usage', [[7, { tenant: 'gone', limit: 'jobsPerDay' }]]);
    metrics.gauges('tenant_usage', [[3, { tenant: 'acme', limit: 'jobsPerDay' }]]);
    metrics.count('undeclared');
    const text = await metrics.text();
    expect(text).toContain('eventzr_event_log_append_events_total 3');
    expect(text).toContain('eventzr_leader{name="timers"} 1');
    expect(text).toContain('eventzr_event_log_append_seconds_count 1');
    expect(text).toContain('eventzr_process_cpu_seconds_total');
    expect(text).toContain('eventzr_tenant_usage{tenant="acme",limit="jobsPerDay"} 3');
    expect(text).not.toContain('gone');
    expect(text).not.toContain('undeclared');
  });
});
