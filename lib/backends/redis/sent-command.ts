import type { Socket } from 'node:net';
import type { Arg, Reply } from './link.js';
import type { RedisCommand, RedisCommandClass } from './redis-client.js';

/** A command that knows whether it has left this process. */
export interface SentCommand extends RedisCommand {
  /** The connection it was last written to; `undefined`: it was not sent. */
  readonly socket: Socket | undefined;
  /** Not to be sent any more, where it has not been. What was sent goes on. */
  abandoned: boolean;
}

export interface SentCommandClass {
  new (
    name: string,
    args: readonly Arg[],
    options: { readonly keyPrefix?: string | undefined; readonly replyEncoding: 'utf8' },
  ): SentCommand;
}

/** In the place of a command that nobody waits for any more: each one that was handed over has to have an answer. */
const NOTHING = '*1\r\n$4\r\nPING\r\n';

const classes = new WeakMap<RedisCommandClass, SentCommandClass>();

/** The command of a copy of ioredis, made to tell when it is written. */
export function sentCommandOf(Command: RedisCommandClass): SentCommandClass {
  let known = classes.get(Command);
  if (known === undefined) {
    known = class extends Command {
      socket: Socket | undefined = undefined;
      abandoned = false;

      override toWritable(socket: unknown): string | Buffer {
        if (this.abandoned && this.socket === undefined) return NOTHING;
        this.socket = socket as Socket;
        return super.toWritable(socket);
      }

      /** Texts and numbers as the server sent them, whatever the command. */
      override transformReply(reply: unknown): Reply {
        return readReply(reply);
      }
    };
    classes.set(Command, known);
  }
  return known;
}

function readReply(reply: unknown): Reply {
  if (Buffer.isBuffer(reply)) return reply.toString();
  if (Array.isArray(reply)) return reply.map(readReply);
  return reply as Reply;
}
