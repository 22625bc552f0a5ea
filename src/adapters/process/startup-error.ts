export type StartupProblem =
  | 'config_invalid'
  | 'port_busy'
  | 'host_invalid'
  | 'data_folder_locked'
  | 'data_folder_denied'
  | 'data_folder_foreign'
  | 'data_folder_version'
  | 'postgres_unsupported'
  | 'postgres_failed'
  | 'database_refused'
  | 'database_auth'
  | 'database_missing'
  | 'database_version'
  | 'database_encoding'
  | 'database_pooler'
  | 'database_rights'
  | 'database_schema'
  | 'database_tls'
  | 'eventstoredb_failed'
  | 'log_elsewhere'
  | 'log_behind';

/** The service cannot start. The message is the line that a person reads: what is wrong and what to do. */
export class StartupError extends Error {
  readonly code: StartupProblem;
  constructor(code: StartupProblem, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'StartupError';
    this.code = code;
  }
}
