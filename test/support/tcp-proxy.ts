import { once } from 'node:events';
import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net';
import { ProxiedConnection, type Cut, type Faults } from './proxied-connection.js';

/**
 * Stands between clients and a server on 127.0.0.1, and breaks what lies between: for all connections by its own methods, for one by
 * those of `connections`. It cannot leave a dial unanswered: the system takes new connections, which then hear nothing.
 */
export class TcpProxy {
  /** The port clients dial. */
  readonly port: number;
  /** How many clients came so far. */
  accepted = 0;
  private readonly open = new Set<ProxiedConnection>();
  private faults: Faults = { frozen: false, delayMs: 0 };
  private refusing = false;
  private cutsOnce = false;

  private constructor(
    private readonly listener: Server,
    private readonly targetPort: number,
  ) {
    this.port = (listener.address() as AddressInfo).port;
    listener.on('connection', (client) => this.take(client));
  }

  static async to(targetPort: number): Promise<TcpProxy> {
    const listener = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
    await once(listener, 'listening');
    return new TcpProxy(listener, targetPort);
  }

  /** The same URL by way of this proxy. */
  url(direct: string): string {
    const url = new URL(direct);
    url.hostname = '127.0.0.1';
    url.port = String(this.port);
    return url.href;
  }

  /** The clients connected now, the oldest first. */
  get connections(): readonly ProxiedConnection[] {
    return [...this.open].filter(({ alive }) => alive);
  }

  /** RST to all clients of now, also in the middle of a command. New ones pass. */
  reset(): void {
    for (const connection of this.open) connection.reset();
  }

  /** As `reset()`, and every new client is reset as it comes, until `restore()`. */
  refuse(): void {
    this.refusing = true;
    this.reset();
  }

  /** Clients of now freeze; new ones are taken and hear nothing. No end is passed on, until `restore()`. */
  blackhole(): void {
    this.faults.frozen = true;
    for (const connection of this.open) connection.blackhole();
  }

  /** Each way, for what is sent from now on. */
  delay(ms: number): void {
    this.faults.delayMs = ms;
    for (const connection of this.open) connection.delay(ms);
  }

  /** On every connection, each with a count of its own. With `once`, the first to get there ends it for the others. */
  cut({ once: single = false, ...cut }: Cut & { once?: boolean }): void {
    this.faults.cut = cut;
    this.cutsOnce = single;
    for (const connection of this.open) connection.cut(cut);
  }

  /** All passes again; what waited goes out. */
  restore(): void {
    this.refusing = false;
    this.faults = { frozen: false, delayMs: 0 };
    for (const connection of this.open) connection.restore();
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.listener.close(resolve));
    for (const connection of this.open) connection.destroy();
    await closed;
  }

  private take(client: Socket): void {
    this.accepted += 1;
    if (this.refusing) return void client.on('error', () => undefined).resetAndDestroy();
    const server = connect({ port: this.targetPort, host: '127.0.0.1', allowHalfOpen: true });
    const connection = new ProxiedConnection(client, server, this.faults, () => {
      if (!this.cutsOnce) return;
      this.faults.cut = undefined;
      for (const other of this.open) other.uncut();
    });
    this.open.add(connection);
    for (const socket of [client, server]) {
      socket.once('close', () => client.closed && server.closed && this.open.delete(connection));
    }
  }
}
