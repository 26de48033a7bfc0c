import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { QueueMetrics } from '../metrics/queue-metrics.js';
import type { QueueHealth } from '../nest/queue-health.js';
import { errorLine } from '../support/error-text.js';
import type { WorkerVitals } from '../worker/tally.js';
import { CommandError } from './command-error.js';

/** What the server tells of, once the application has booted. */
export interface HealthSubject {
  readonly health: Pick<QueueHealth, 'check' | 'live'>;
  readonly vitals: () => readonly WorkerVitals[];
  /** @throws MissingPackageError without prom-client */
  readonly metrics: () => Promise<Pick<QueueMetrics, 'text' | 'contentType'>>;
}

interface Answer {
  readonly status: number;
  readonly type?: string;
  readonly body: string | object;
}

/** A client that dawdles is cut off after this. */
const REQUEST_MS = 5_000;
const MOST_CONNECTIONS = 100;
const BOOTING = { status: 'down', problems: ['The application is still booting.'] };
const DRAINING = { status: 'down', problems: ['The worker was told to stop, and ends after its jobs.'] };

/**
 * Tells over HTTP how a worker process is: GET /live asks no store, and is down where only a restart helps; GET /ready asks the stores of
 * the worker's queues; GET /metrics is for Prometheus. It never keeps the process alive.
 */
export class HealthServer {
  /** `http://127.0.0.1:9090` */
  readonly url: string;
  #subject: HealthSubject | undefined;
  #metrics: Pick<QueueMetrics, 'text' | 'contentType'> | undefined;
  #noMetrics = 'The application is still booting.';
  #draining = false;

  private constructor(private readonly server: Server) {
    const { address, port, family } = server.address() as AddressInfo;
    this.url = `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
    server.on('request', (request: IncomingMessage, response: ServerResponse) => void this.#serve(request, response));
  }

  /** @throws CommandError where the port cannot be had */
  static async listen(port: number, host: string): Promise<HealthServer> {
    const server = createServer({
      requestTimeout: REQUEST_MS,
      headersTimeout: REQUEST_MS,
      keepAliveTimeout: REQUEST_MS,
    });
    server.maxConnections = MOST_CONNECTIONS;
    server.unref();
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error: NodeJS.ErrnoException) => reject(refused(error, port, host)));
      server.listen(port, host, resolve);
    });
    // What goes wrong with one client later is no reason for the worker to end.
    server.removeAllListeners('error').on('error', () => {});
    return new HealthServer(server);
  }

  /** The application has booted. What happens from now on is counted. */
  async attach(subject: HealthSubject): Promise<void> {
    this.#subject = subject;
    try {
      this.#metrics = await subject.metrics();
    } catch (error) {
      this.#noMetrics = errorLine(error).replace(/^\w+: /, '');
    }
  }

  /** The worker was told to stop: it is not ready any more. */
  drain(): void {
    this.#draining = true;
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()));
    this.server.closeAllConnections();
    await closed;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let answer: Answer;
    try {
      answer = await this.#answer(request);
    } catch (error) {
      answer = { status: 500, body: { status: 'down', problems: [errorLine(error)] } };
    }
    const { status, body, type = 'application/json; charset=utf-8' } = answer;
    const text = typeof body === 'string' ? body : `${JSON.stringify(body)}\n`;
    response.writeHead(status, {
      'content-type': type,
      'content-length': Buffer.byteLength(text),
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      ...(status === 405 && { allow: 'GET, HEAD' }),
    });
    response.end(request.method === 'HEAD' ? undefined : text);
  }

  #answer({ method, url = '/' }: IncomingMessage): Answer | Promise<Answer> {
    if (method !== 'GET' && method !== 'HEAD') return { status: 405, body: { error: 'Only GET is answered here.' } };
    const [path] = url.split('?', 1);
    if (path === '/live') return this.#live();
    if (path === '/ready') return this.#ready();
    if (path === '/metrics') return this.#metricsText();
    return { status: 404, body: { error: 'There are /live, /ready and /metrics.' } };
  }

  #live(): Answer {
    if (!this.#subject) return { status: 200, body: { status: 'up', workers: [], problems: [] } };
    return reported(this.#subject.health.live());
  }

  async #ready(): Promise<Answer> {
    if (!this.#subject) return { status: 503, body: BOOTING };
    const { health, vitals } = this.#subject;
    const live = vitals().filter(({ end }) => end === undefined);
    if (this.#draining || live.some(({ state }) => state === 'stopping' || state === 'stopped'))
      return { status: 503, body: { ...DRAINING, workers: health.live().workers } };
    const queues = live.flatMap(({ connection, queues: its }) => its.map((queue) => `${connection}:${queue}`));
    return reported(await health.check({ worker: true, maxWait: false, ...(queues.length > 0 && { queues }) }));
  }

  async #metricsText(): Promise<Answer> {
    if (!this.#metrics) return { status: 404, type: 'text/plain; charset=utf-8', body: `${this.#noMetrics}\n` };
    return { status: 200, type: this.#metrics.contentType, body: await this.#metrics.text() };
  }
}

function reported(report: { readonly status: 'up' | 'down' }): Answer {
  return { status: report.status === 'up' ? 200 : 503, body: report };
}

function refused({ code, message }: NodeJS.ErrnoException, port: number, host: string): CommandError {
  if (code === 'EADDRINUSE')
    return new CommandError(
      `Port ${port} of ${host} is in use: health cannot be told there.`,
      'Name a free one by --health-port, one for each worker process of a machine; 0 takes any.',
    );
  return new CommandError(
    `Health cannot be told on port ${port} of ${host}: ${message}.`,
    'Name an address of this machine by --health-host, and a port that this user may have by --health-port.',
  );
}
