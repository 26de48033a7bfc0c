import type { Socket } from 'node:net';

export interface Cut {
  /** Whose bytes are counted: those of the `client` go to the server. */
  readonly from: 'client' | 'server';
  /** So many pass, counted from now on. At 0 the first byte is already lost. */
  readonly after: number;
}

export interface Faults {
  frozen: boolean;
  delayMs: number;
  cut?: Cut;
}

/** A reset that comes together with bytes is told to a Node client as a plain end. */
const READ_FIRST_MS = 10;

/** One direction of a connection. What waits for its time, or for the end of a freeze, keeps its order; `undefined` is the sender's end. */
class Flow {
  private readonly waiting: { at: number; chunk: Buffer | undefined }[] = [];
  private timer: NodeJS.Timeout | undefined;
  /** Bytes before the cut. */
  left = Infinity;

  constructor(
    private readonly faults: Faults,
    from: Socket,
    private readonly to: Socket,
    private readonly cutOff: () => void,
  ) {
    from.setNoDelay(true);
    from.on('data', (chunk: Buffer) => this.push(chunk));
    from.once('end', () => this.push(undefined));
    // A side that breaks is a side that ends: the other learns of it as soon as ends pass.
    from.on('error', () => undefined);
    from.once('close', () => this.push(undefined));
  }

  flush(): void {
    clearTimeout(this.timer);
    while (!this.faults.frozen && this.waiting[0] !== undefined && !this.to.destroyed) {
      const wait = this.waiting[0].at - performance.now();
      if (wait > 0) {
        this.timer = setTimeout(() => this.flush(), Math.ceil(wait));
        return;
      }
      this.send(this.waiting.shift()!.chunk);
    }
  }

  stop(): void {
    clearTimeout(this.timer);
    this.waiting.length = 0;
  }

  private push(chunk: Buffer | undefined): void {
    this.waiting.push({ at: performance.now() + this.faults.delayMs, chunk });
    this.flush();
  }

  private send(chunk: Buffer | undefined): void {
    if (chunk === undefined) return void (this.to.writableEnded || this.to.end());
    if (chunk.length < this.left) {
      this.left -= chunk.length;
      this.to.write(chunk);
      return;
    }
    const last = chunk.subarray(0, this.left);
    this.stop();
    // Nothing else passes: an answer to what got through would be no cut.
    this.faults.frozen = true;
    if (last.length === 0) this.cutOff();
    else this.to.write(last, () => setTimeout(this.cutOff, READ_FIRST_MS));
  }
}

/** One client and its connection to the server, with faults of its own. */
export class ProxiedConnection {
  private readonly faults: Faults;
  private readonly toServer: Flow;
  private readonly toClient: Flow;

  constructor(
    private readonly client: Socket,
    private readonly server: Socket,
    faults: Faults,
    onCut: () => void,
  ) {
    this.faults = { frozen: faults.frozen, delayMs: faults.delayMs };
    const cutOff = (): void => {
      onCut();
      // The server still reads all that it was sent, and then finds the client gone.
      client.resetAndDestroy();
      server.end();
      server.resume();
    };
    this.toServer = new Flow(this.faults, client, server, cutOff);
    this.toClient = new Flow(this.faults, server, client, cutOff);
    if (faults.cut !== undefined) this.cut(faults.cut);
  }

  /** Whether the client is still there, and has not hung up. */
  get alive(): boolean {
    return !this.client.destroyed && !this.client.readableEnded;
  }

  /** Under which the server knows it. */
  get outgoingPort(): number | undefined {
    return this.server.localPort;
  }

  /** RST to both sides, whatever is on its way. */
  reset(): void {
    for (const flow of [this.toServer, this.toClient]) flow.stop();
    this.client.resetAndDestroy();
    this.server.resetAndDestroy();
  }

  /** Nothing passes either way, not even an end, until `restore()`. What was sent meanwhile then arrives, as TCP sends again. */
  blackhole(): void {
    this.faults.frozen = true;
  }

  /** Each way, for what is sent from now on. */
  delay(ms: number): void {
    this.faults.delayMs = ms;
  }

  /** Lets so many bytes pass, then the client gets a RST. The server sees an end. */
  cut(cut: Cut): void {
    (cut.from === 'client' ? this.toServer : this.toClient).left = cut.after;
  }

  uncut(): void {
    for (const flow of [this.toServer, this.toClient]) flow.left = Infinity;
  }

  restore(): void {
    this.uncut();
    Object.assign(this.faults, { frozen: false, delayMs: 0 });
    for (const flow of [this.toServer, this.toClient]) flow.flush();
  }

  destroy(): void {
    for (const flow of [this.toServer, this.toClient]) flow.stop();
    this.client.destroy();
    this.server.destroy();
  }
}
