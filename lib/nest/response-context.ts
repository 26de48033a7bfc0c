import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks';
import type { ServerResponse } from 'node:http';
import { Logger } from '@nestjs/common';
import { errorLine } from '../support/error-text.js';

/** What is needed of an HTTP adapter of Nest. */
export interface HttpAdapterLike {
  getType(): string;
  use(middleware: (request: unknown, response: ServerResponse, next: () => void) => void): unknown;
  getInstance(): unknown;
}

interface FastifyLike {
  addHook(
    name: 'preValidation',
    hook: (request: unknown, reply: { raw: ServerResponse }, done: () => void) => void,
  ): unknown;
}

/**
 * Knows the HTTP response that the running code belongs to, anywhere below the request: middleware, guards, interceptors, handlers and
 * what they await. On Express and Fastify; without HTTP there never is one.
 */
export class ResponseContext {
  readonly #storage = new AsyncLocalStorage<ServerResponse>();
  /** The end of what waits for a response so far. */
  readonly #last = new WeakMap<ServerResponse, Promise<void>>();
  readonly #open = new Set<Promise<void>>();

  /** @param report gets what a function threw. Default: an error line of the Logger. */
  constructor(
    private readonly report: (error: unknown) => void = (error) =>
      new Logger('Queue').error(`What was to run after the response threw: ${errorLine(error)}`),
  ) {}

  /**
   * Makes an application's requests known. To be called from a module's `configure()`: by then the adapter takes middleware, and routes
   * and the middleware of modules come after. Does nothing without an adapter.
   */
  attach(adapter: HttpAdapterLike | null | undefined): void {
    if (typeof adapter?.use !== 'function') return;
    // On the adapter itself rather than by a route: no path pattern, whose form differs by version, and no global prefix to miss.
    adapter.use((_request, response, next) => this.run(response, next));
    if (adapter.getType() === 'fastify') {
      // Hooks and parsers come between middleware and handler here, and one that answers from elsewhere (a pool, a shared timer) loses
      // the request: from this point on it is known again.
      (adapter.getInstance() as FastifyLike).addHook('preValidation', (_request, reply, done) =>
        this.run(reply.raw, done),
      );
    }
  }

  /** Runs `next` and all that comes of it as part of the request that `response` answers. */
  run(response: ServerResponse, next: () => void): void {
    this.#storage.run(response, next);
  }

  /**
   * Runs `fn` once the current response is out, or its client gone; at once where that has been. Several run in order, each on its own:
   * what one throws is reported and does not keep the next one.
   *
   * @returns false, without having kept `fn`, outside a request
   */
  afterResponse(fn: () => Promise<void>): boolean {
    const response = this.#storage.getStore();
    if (!response) return false;
    // Bound to the caller: tracing and request contexts of the application go on as if the caller had waited.
    const bound = AsyncResource.bind(fn, 'AfterResponse');
    const mine = (this.#last.get(response) ?? sent(response)).then(async () => {
      try {
        await bound();
      } catch (error) {
        this.report(error);
      }
    });
    this.#last.set(response, mine);
    this.#open.add(mine);
    void mine.finally(() => this.#open.delete(mine));
    return true;
  }

  /**
   * Resolves when nothing waits for a response or runs after one, what those add included. A response may take as long as its client
   * likes: race this with a deadline.
   */
  async pending(): Promise<void> {
    while (this.#open.size > 0) await Promise.all(this.#open);
  }
}

function sent(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    if (response.writableFinished || response.destroyed || response.closed) return resolve();
    const out = (): void => {
      response.off('finish', out);
      response.off('close', out);
      resolve();
    };
    response.on('finish', out);
    response.on('close', out);
  });
}
