import type { Backend } from '../../lib/contracts/backend.js';
import { startRedis, type RedisServer } from '../support/redis-servers.mjs';
import { TcpProxy } from '../support/tcp-proxy.js';
import { RedisBackends } from './redis-harness.js';

/** A server of a spec's own that keeps what it has answered, with a breakable way to it. */
export class ProxiedRedis {
  server!: RedisServer;
  proxy!: TcpProxy;
  /** Through the proxy. */
  readonly backends = new RedisBackends(() => ({ url: this.proxy.url(this.server.url) }));
  /** Beside it. */
  readonly direct = new RedisBackends(() => ({ url: this.server.url }));

  async begin(): Promise<void> {
    this.server = await startRedis({ durable: true });
    this.proxy = await TcpProxy.to(this.server.port);
  }

  /** After each test. */
  async clean(): Promise<void> {
    this.proxy.restore();
    await this.server.start();
    await Promise.all([this.backends.close(), this.direct.close()]);
    await this.server.command('FLUSHALL');
  }

  async end(): Promise<void> {
    await Promise.all([this.backends.close(), this.direct.close()]);
    await this.proxy.close();
    await this.server.close();
  }
}

/** All jobs of the default queue. */
export async function left(backend: Backend): Promise<number> {
  const [size] = await backend.queue!.size(['default']);
  return size!.pending + size!.delayed! + size!.reserved!;
}
