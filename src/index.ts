export {
  createEngine,
  type Engine,
  type EngineOptions,
  type EngineWorkerOptions,
} from './engine.ts';
export type { EngineJob } from './engine-job.ts';
