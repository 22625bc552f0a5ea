import { once } from 'node:events';
import { createServer, connect as openSocket, type Server, type Socket } from 'node:net';

interface Link {
  readonly client: Socket;
  readonly server: Socket;
}

/** A way to a server on this machine that can be cut, and that can hold back what is on its way. */
export class FaultyLink implements AsyncDisposable {
  readonly #listener: Server;
  readonly #links = new Set<Link>();
  #holdsAnswers = false;
  #holdsRequests = false;
  #refuses = false;

  static async to(port: number): Promise<FaultyLink> {
    const link = new FaultyLink(port);
    link.#listener.listen(0, '127.0.0.1');
    await once(link.#listener, 'listening');
    return link;
  }

  private constructor(port: number) {
    this.#listener = createServer((client) => this.#connect(client, port));
  }

  get url(): string {
    return `esdb://127.0.0.1:${(this.#listener.address() as { port: number }).port}?tls=false`;
  }

  get connections(): number {
    return this.#links.size;
  }

  /** Cuts all connections; new ones are let through. */
  cut(): void {
    for (const { client, server } of this.#links) {
      client.destroy();
      server.destroy();
    }
    this.#links.clear();
  }

  refuse(): void {
    this.#refuses = true;
    this.cut();
  }

  /** What the server says is delivered late, also on connections that are made meanwhile. */
  holdAnswers(): void {
    this.#holdsAnswers = true;
    for (const { server } of this.#links) server.pause();
  }

  holdRequests(): void {
    this.#holdsRequests = true;
    for (const { client } of this.#links) client.pause();
  }

  /** The connections that there are fall silent, as where a firewall forgets them; new ones are sound. */
  freeze(): void {
    for (const { client, server } of this.#links) {
      client.pause();
      server.pause();
    }
  }

  /** Ends all faults; what was held back goes its way. */
  heal(): void {
    this.#holdsAnswers = false;
    this.#holdsRequests = false;
    this.#refuses = false;
    for (const { client, server } of this.#links) {
      client.resume();
      server.resume();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    this.#listener.close();
    await once(this.#listener, 'close');
  }

  #connect(client: Socket, port: number): void {
    if (this.#refuses) {
      client.destroy();
      return;
    }
    const server = openSocket(port, '127.0.0.1');
    const link = { client, server };
    this.#links.add(link);
    client.on('data', (bytes) => server.write(bytes));
    server.on('data', (bytes) => client.write(bytes));
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      socket.on('error', () => {});
      socket.on('close', () => {
        other.destroy();
        this.#links.delete(link);
      });
    }
    if (this.#holdsAnswers) server.pause();
    if (this.#holdsRequests) client.pause();
  }
}
