/** What went wrong in a worker and was dealt with. */
export interface WorkerProblem {
  readonly what: string;
  readonly jobId?: string;
  readonly error?: unknown;
}

/** For workers that nobody listens to: one with a wrong key would look as if there were no jobs. */
export function warnOfProblem({ what, jobId, error }: WorkerProblem): void {
  const why = error === undefined ? '' : `: ${error instanceof Error ? error.message : String(error)}`;
  process.emitWarning(`${what}${why}${jobId === undefined ? '' : ` (job ${jobId})`}`, 'JobsWorker');
}
