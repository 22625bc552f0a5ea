import { GenericContainer, getContainerRuntimeClient, Wait } from 'testcontainers';
import { imageOf } from './containers.ts';
import type { KafkaServer } from './kafka-server.ts';
import { freePort } from './running-service.ts';

const PORT = 9092;

/** A broker of one's own in a container, for machines with Docker and without Java. */
export async function startKafkaContainer(
  settings: (port: number, controllerPort: number) => Readonly<Record<string, string>>,
  answers: (port: number) => Promise<boolean>,
): Promise<KafkaServer> {
  // Bound to a port that it keeps: clients find it there after a restart.
  const port = await freePort();
  const container = await new GenericContainer(imageOf('kafka'))
    .withExposedPorts({ container: PORT, host: port })
    .withEnvironment(environment(settings(port, 29_093)))
    .withWaitStrategy(Wait.forLogMessage(/Kafka Server started/))
    .withStartupTimeout(120_000)
    .start();
  const client = await getContainerRuntimeClient();
  const found = client.container.getById(container.getId());
  return {
    brokers: [`127.0.0.1:${port}`],
    secured: undefined,
    async start() {
      await found.start();
      for (let tries = 0; tries < 600; tries += 1) {
        if (await answers(port)) return;
        await new Promise((resume) => setTimeout(resume, 100));
      }
      throw new Error('Kafka does not answer in its container');
    },
    stop: () => container.stop({ remove: false, timeout: 30_000 }).then(() => undefined),
    async kill() {
      await found.kill();
      await found.wait();
    },
    async [Symbol.asyncDispose]() {
      await found.remove({ force: true, v: true });
    },
  };
}

/** As the image wants settings: KAFKA_NODE_ID for node.id. */
const environment = (settings: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(settings).map(([name, value]) => [
      `KAFKA_${name.toUpperCase().replaceAll('.', '_')}`,
      value,
    ]),
  );
