import { GenericContainer, Wait } from 'testcontainers';
import { imageOf } from '../containers.ts';

export interface EventStoreDbContainer {
  readonly url: string;
  stop(): Promise<void>;
}

const PORT = 2113;

/** A real EventStoreDB, as docker-compose.yml runs it, with nothing in it. */
export async function startEventStoreDbContainer(): Promise<EventStoreDbContainer> {
  const container = await new GenericContainer(imageOf('eventstoredb'))
    .withExposedPorts(PORT)
    .withEnvironment({
      EVENTSTORE_CLUSTER_SIZE: '1',
      EVENTSTORE_INSECURE: 'true',
      EVENTSTORE_RUN_PROJECTIONS: 'None',
    })
    .withWaitStrategy(Wait.forHttp('/health/live', PORT).forStatusCodeMatching((code) => code < 300))
    .withStartupTimeout(180_000)
    .start();
  return {
    url: `esdb://${container.getHost()}:${container.getMappedPort(PORT)}?tls=false`,
    stop: () => container.stop().then(() => undefined),
  };
}
