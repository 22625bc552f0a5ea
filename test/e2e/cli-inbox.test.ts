import { writeFile } from 'node:fs/promises';
import { Kafka, logLevel } from 'kafkajs';
import { expect, it } from 'vitest';
import { runCli } from '../support/cli.ts';
import { cliService } from '../support/cli-service.ts';
import { startKafka, whyNoKafka } from '../support/kafka-server.ts';
import { createTopic } from '../support/kafka-topic.ts';
import { waitUntil } from '../support/wait-until.ts';

const TOPIC = 'shop.orders';
const RULE = { topic: TOPIC, action: { kind: 'enqueue', type: 'order.fulfil' } };
const PLACED = {
  event_id: 'o-1',
  event_type: 'order.placed',
  occurred_at: '2026-04-16T08:12:44.312Z',
  data: { n: 1 },
};

it.skipIf(whyNoKafka() !== undefined)(
  'a person finds what the inbox put aside, corrects it, and has it carried out once',
  { timeout: 300_000 },
  async () => {
    await using kafka = await startKafka();
    await using service = await cliService({ KAFKA_BROKERS: kafka.brokers.join() });
    const env = { JOBS_URL: service.url, JOBS_API_KEY: service.key };
    const jobs = (...args: string[]) => runCli(args, { env, cwd: service.folder });
    const done = async (...args: string[]): Promise<string> => {
      const { code, out, err } = await jobs(...args);
      expect({ code, err }).toEqual({ code: 0, err: '' });
      return out;
    };
    const inbox = (...args: string[]) => done('inbox', 'dlq', ...args);
    await done('subscriptions', 'put', 'orders', JSON.stringify(RULE));
    await send(kafka.brokers, { ...PLACED, tenant_id: 7 });

    const waiting = async () =>
      JSON.parse(await inbox('list', '--topic', TOPIC, '--status', 'waiting', '--json')).data;
    const [{ id }] = await waitUntil(
      'it is put aside',
      async () => {
        const rows = await waiting();
        return rows.length > 0 ? rows : undefined;
      },
      { timeoutMs: 120_000 },
    );
    const shown = await inbox('show', id);
    expect(shown).toContain(`${TOPIC}, partition 0, offset 0`);
    expect(shown).toContain('/tenant_id');
    expect(await jobs('inbox', 'dlq', 'replay', id)).toMatchObject({
      code: expect.not.closeTo(0),
      err: expect.stringContaining('tenant_id'),
    });

    const file = `${service.folder}/corrected.json`;
    await writeFile(file, JSON.stringify({ ...PLACED, tenant_id: 'acme' }));
    expect(await inbox('edit', id, '--payload-file', file)).toBe(`${id}  edited\n`);
    expect(await inbox('replay', id)).toBe('1 accepted, 0 duplicates, 0 ignored\n');
    expect(await inbox('replay', id)).toBe('0 accepted, 1 duplicates, 0 ignored\n');
    expect(await waiting()).toEqual([]);
    expect(await inbox('show', id)).toMatch(/replayed \S+ by test/);
    const [job] = await waitUntil('the job is there', async () => {
      const { data } = await service.client.list();
      return data.length > 0 ? data : undefined;
    });
    expect(job).toMatchObject({ type: 'order.fulfil' });
    expect(await done('consumers')).toContain(TOPIC);
  },
);

async function send(brokers: readonly string[], event: object): Promise<void> {
  const kafka = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING });
  const [admin, producer] = [kafka.admin(), kafka.producer({ allowAutoTopicCreation: false })];
  await Promise.all([admin.connect(), producer.connect()]);
  await createTopic(admin, TOPIC, 1);
  await producer.send({ topic: TOPIC, messages: [{ value: JSON.stringify(event) }] });
  await Promise.all([admin.disconnect(), producer.disconnect()]);
}
