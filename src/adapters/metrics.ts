import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Labels, Metrics } from '../commands/telemetry.ts';
import { METRICS, type MetricDefinition } from './metrics-catalogue.ts';

export interface PrometheusMetrics extends Metrics {
  /** Everything in Prometheus' text format, the process's own figures included. */
  text(): Promise<string>;
}

/** From half a millisecond to half a minute. */
const BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** Figures for Prometheus, as declared in the catalogue; what is not declared is dropped. */
export function prometheusMetrics(): PrometheusMetrics {
  const registry = new Registry();
  const counters = new Map<string, Counter>();
  const gauges = new Map<string, Gauge>();
  const histograms = new Map<string, Histogram>();
  collectDefaultMetrics({ register: registry, prefix: 'eventzr_' });
  for (const [name, { type, help, labels }] of Object.entries<MetricDefinition>(METRICS)) {
    const options = { help, labelNames: [...labels], registers: [registry] };
    if (type === 'counter') counters.set(name, new Counter({ name: `eventzr_${name}_total`, ...options }));
    else if (type === 'gauge') gauges.set(name, new Gauge({ name: `eventzr_${name}`, ...options }));
    else
      histograms.set(name, new Histogram({ name: `eventzr_${name}_seconds`, buckets: BUCKETS, ...options }));
  }
  return {
    count: (name, by = 1, labels: Labels = {}) =>
      unharmed(() => counters.get(name.replace(/_total$/, ''))?.inc(labels, by)),
    gauge: (name, value, labels: Labels = {}) => unharmed(() => gauges.get(name)?.set(labels, value)),
    gauges: (name, values) =>
      unharmed(() => {
        const gauge = gauges.get(name);
        gauge?.reset();
        for (const [value, labels] of values) gauge?.set(labels, value);
      }),
    observe: (name, seconds, labels: Labels = {}) =>
      unharmed(() => histograms.get(name.replace(/_seconds$/, ''))?.observe(labels, seconds)),
    text: () => registry.metrics(),
  };
}

/** A figure with a wrong label must not break the work that it measures. */
function unharmed(report: () => void): void {
  try {
    report();
  } catch {
    // It is missing on the page, which is where one looks for it.
  }
}
