export {
  createEngine,
  type Engine,
  type EngineJob,
  type EngineOptions,
  type EngineWorkerOptions,
} from './engine.ts';
