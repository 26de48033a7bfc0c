import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** Answers of a server that cannot be had here, such as an older one: `-ERR …` is an error, anything else a text. */
export class FakeRedis {
  /** What came so far, but for what a client says of itself. */
  readonly commands: string[][] = [];
  private readonly sockets = new Set<Socket>();

  private constructor(
    private readonly server: Server,
    private readonly answer: (command: readonly string[]) => string,
  ) {
    server.on('connection', (socket) => this.take(socket));
  }

  static async with(answer: (command: readonly string[]) => string): Promise<FakeRedis> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new FakeRedis(server, answer);
  }

  get url(): string {
    return `redis://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve));
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }

  private take(socket: Socket): void {
    this.sockets.add(socket);
    let text = '';
    socket.on('error', () => undefined);
    socket.on('data', (data) => {
      text += data.toString('latin1');
      for (let end = 1; end > 0 && text !== '';) {
        const parts: string[] = [];
        end = text.indexOf('\r\n') + 2;
        for (let left = Number(text.slice(1, end - 2)); left > 0; left--) {
          const from = text.indexOf('\r\n', end) + 2;
          const length = Number(text.slice(end + 1, from - 2));
          if (from < 2 || text.length < from + length + 2) return;
          parts.push(text.slice(from, from + length));
          end = from + length + 2;
        }
        text = text.slice(end);
        socket.write(this.reply(parts));
      }
    });
  }

  private reply(command: string[]): string {
    if (command[0] === 'client') return '+OK\r\n';
    this.commands.push(command);
    const answer = this.answer(command);
    return answer.startsWith('-') ? `${answer}\r\n` : `$${Buffer.byteLength(answer)}\r\n${answer}\r\n`;
  }
}
