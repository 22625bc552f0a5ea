/**
 * Settings for a service that writes many small transactions on a machine it shares with others. Durability is left as
 * PostgreSQL ships it: fsync, synchronous_commit and full_page_writes are on.
 */
const SETTINGS: Readonly<Record<string, string>> = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '100',
  shared_buffers: '128MB',
  work_mem: '8MB',
  maintenance_work_mem: '128MB',
  wal_buffers: '16MB',
  wal_compression: 'pglz',
  // Far apart and spread out: each checkpoint makes the next writes to every page expensive. Bounds .data by 2 GB.
  max_wal_size: '2GB',
  min_wal_size: '256MB',
  checkpoint_timeout: '15min',
  checkpoint_completion_target: '0.9',
  random_page_cost: '1.1',
  // Every query is short: compiling costs more than it saves.
  jit: 'off',
  // Queue tables turn over completely many times an hour; dead rows must not pile up.
  autovacuum_naptime: '15s',
  autovacuum_vacuum_scale_factor: '0.1',
  autovacuum_vacuum_cost_limit: '1000',
  // The server reports the errors it gets; here only what concerns the database as a whole.
  log_min_messages: 'log',
  log_min_error_statement: 'panic',
  log_checkpoints: 'off',
  log_line_prefix: '',
  logging_collector: 'off',
  timezone: 'UTC',
};

export function postgresArguments(
  dataDir: string,
  port: number,
  overrides: Readonly<Record<string, string>>,
): string[] {
  const settings = Object.entries({ ...SETTINGS, ...overrides });
  return [
    '-D',
    dataDir,
    '-p',
    String(port),
    ...settings.flatMap(([name, value]) => ['-c', `${name}=${value}`]),
  ];
}
