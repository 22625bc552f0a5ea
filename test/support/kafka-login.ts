import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

export interface KafkaLogin {
  readonly username: string;
  readonly password: string;
}

/** A listener that wants TLS and a login. */
export interface SecuredListener {
  readonly brokers: readonly string[];
  /** Certificate of the broker, PEM. */
  readonly ca: string;
}

/** What the broker's settings need for it. */
export interface Listener extends SecuredListener {
  readonly address: string;
  readonly properties: string;
  /** Arguments of the tool that formats the storage: SCRAM's secrets are in there. */
  readonly formatting: readonly string[];
}

const STORE_PASSWORD = 'changeit';

export async function securedListener(
  folder: string,
  port: number,
  { username, password }: KafkaLogin,
): Promise<Listener> {
  const store = `${folder}/keystore.p12`;
  const certificate = `${folder}/certificate.pem`;
  const keytool = (...args: readonly string[]) =>
    promisify(execFile)('keytool', [...args, '-keystore', store, '-storepass', STORE_PASSWORD], {
      timeout: 120_000,
    });
  const name = ['-dname', 'CN=127.0.0.1', '-ext', 'SAN=ip:127.0.0.1'];
  await keytool('-genkeypair', '-alias', 'broker', '-keyalg', 'EC', '-storetype', 'PKCS12', ...name);
  await keytool('-exportcert', '-rfc', '-alias', 'broker', '-file', certificate);
  const modules = 'org.apache.kafka.common.security';
  const plain = `${modules}.plain.PlainLoginModule required user_${username}="${password}";`;
  const scram = `${modules}.scram.ScramLoginModule required;`;
  return {
    brokers: [`127.0.0.1:${port}`],
    ca: await readFile(certificate, 'utf8'),
    address: `,SECURED://127.0.0.1:${port}`,
    formatting: ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap((mechanism) => [
      '--add-scram',
      `${mechanism}=[name=${username},password=${password}]`,
    ]),
    properties: `
listener.name.secured.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
listener.name.secured.plain.sasl.jaas.config=${plain}
listener.name.secured.scram-sha-256.sasl.jaas.config=${scram}
listener.name.secured.scram-sha-512.sasl.jaas.config=${scram}
listener.name.secured.ssl.keystore.type=PKCS12
listener.name.secured.ssl.keystore.location=${store}
listener.name.secured.ssl.keystore.password=${STORE_PASSWORD}`,
  };
}
