/** Structured log lines: fields first, then the event's name, as pino takes them. */
export interface Logger {
  debug(fields: object, event: string): void;
  info(fields: object, event: string): void;
  warn(fields: object, event: string): void;
  error(fields: object, event: string): void;
}

export type Labels = Readonly<Record<string, string>>;

/** Where the parts of the service report figures. Names are Prometheus names without the `eventzr_` prefix. */
export interface Metrics {
  /** Adds to a counter, `…_total`. */
  count(name: string, by?: number, labels?: Labels): void;
  /** Sets a gauge. */
  gauge(name: string, value: number, labels?: Labels): void;
  /** Sets a gauge for these labels, and for no others any more. */
  gauges(name: string, values: readonly (readonly [value: number, labels: Labels])[]): void;
  /** Adds to a histogram of durations, `…_seconds`. */
  observe(name: string, seconds: number, labels?: Labels): void;
}

export const noLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} };
export const noMetrics: Metrics = { count() {}, gauge() {}, gauges() {}, observe() {} };
