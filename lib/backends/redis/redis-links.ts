import { StoreRefusedError, StoreUnreachableError } from '../../contracts/store-errors.js';
import { deferred } from '../../support/deferred.js';
import { ClientSlot } from './client-slot.js';
import { afterReading } from './after-reading.js';
import { OwnClients, type ClientPurpose } from './own-clients.js';
import { commandClassOf, type RedisClient, type RedisNode } from './redis-client.js';
import type { Patience } from './link.js';
import { bareError, redisFault } from './redis-faults.js';
import { ClientLink, refusedBy } from './redis-link.js';
import { storeName, type RedisPlace } from './redis-options.js';
import type { Script, ScriptText } from './script.js';
import { sentCommandOf, type SentCommandClass } from './sent-command.js';
import { evicts, factsOfAll, serverFacts, UNKNOWN_SERVER, type ServerFacts } from './server-facts.js';

/** A server that is asked what it is has so long to answer. */
const FACTS_MS = 3_000;

/** What the links of a connection share. */
export interface LinksOptions {
  readonly connection: string;
  readonly place: RedisPlace;
  /** Refuse servers that may throw keys away, or do not say whether they do. Default: one line for the log. */
  readonly strict?: boolean;
  /** One line for the log. */
  readonly warn: (message: string) => void;
}

/** All links of one connection, with what is known of its servers. Opens nothing before the first order. */
export class RedisLinks {
  readonly store: string;
  readonly isCluster: boolean;
  readonly commands: ClientLink;
  /** For renewals, which must not wait behind anything. */
  readonly leases: ClientLink;
  readonly clients: OwnClients;
  readonly #connection: string;
  readonly #classes = new WeakMap<RedisClient, SentCommandClass>();
  #facts: ServerFacts = UNKNOWN_SERVER;
  #flagsRefused = false;
  #warned = false;

  constructor(private readonly options: LinksOptions) {
    const { connection, place } = options;
    this.#connection = connection;
    this.store = storeName(place);
    this.clients = new OwnClients(place, connection);
    this.isCluster = this.clients.isCluster;
    this.commands = this.#link('commands');
    this.leases = this.#link('leases');
  }

  /** As of the last connection. */
  get facts(): ServerFacts {
    return this.#facts;
  }

  /**
   * A client with its gate, for something of its own.
   *
   * @param vet what is done with each new connection before it is used. Default: looks at what the server is
   */
  slot(purpose: ClientPurpose, vet = (client: RedisClient): Promise<void> => this.#vet(client)): ClientSlot {
    return new ClientSlot({
      store: this.store,
      make: () => this.clients.make(purpose),
      vet,
      refusal: (error) => refusedBy(this.#connection, this.store, error),
    });
  }

  commandsOf(client: RedisClient): SentCommandClass {
    let known = this.#classes.get(client);
    if (known === undefined) {
      known = sentCommandOf(commandClassOf(client));
      this.#classes.set(client, known);
    }
    return known;
  }

  /** Asks the servers what they are. @throws as every order */
  async check(patience: Patience): Promise<ServerFacts> {
    const client = await this.commands.ready(patience);
    try {
      this.#facts = await this.#ask(client);
    } catch (error) {
      throw new StoreUnreachableError(this.#connection, this.store, bareError(error));
    }
    this.#assertKeeps(this.#facts);
    return this.#facts;
  }

  async close(): Promise<void> {
    await Promise.all([this.commands.close(), this.leases.close()]);
  }

  #link(purpose: ClientPurpose): ClientLink {
    return new ClientLink({
      connection: this.#connection,
      store: this.store,
      isCluster: this.isCluster,
      slot: this.slot(purpose),
      impatient: purpose === 'leases',
      commandsOf: (client) => this.commandsOf(client),
      textOf: (script) => this.#textOf(script),
      noFlags: () => (this.#flagsRefused = true),
    });
  }

  #textOf(script: Script): ScriptText {
    return this.#facts.hasFlags && !this.#flagsRefused ? script.flagged : script.plain;
  }

  /** @throws StoreRefusedError; the way's or the server's own error */
  async #vet(client: RedisClient): Promise<void> {
    const facts = await this.#ask(client);
    this.#facts = facts;
    this.#flagsRefused = false;
    if (!facts.isSupported) {
      throw this.#refuse(`it is ${facts.version}`, 'Use Redis 6.2 or later, or Valkey.');
    }
    if (facts.isCluster && !this.isCluster) {
      throw this.#refuse('it is a node of a cluster', 'Give the connection cluster: { nodes: [{ host, port }] }.');
    }
    this.#assertKeeps(facts);
    if (evicts(facts) && !this.#warned) {
      this.#warned = true;
      this.options.warn(evictionLine(this.#connection, this.store, facts));
    }
  }

  /** @throws StoreRefusedError where `strict` was asked for, and not kept */
  #assertKeeps(facts: ServerFacts): void {
    if (this.options.strict !== true) return;
    const { evictionPolicy } = facts;
    if (evictionPolicy === undefined) {
      throw this.#refuse(
        'it does not say what its maxmemory-policy is, and strict was asked for',
        'Give its user the right to INFO (ACL SETUSER <user> +info), or leave strict out.',
      );
    }
    if (evicts(facts)) {
      throw this.#refuse(
        `its maxmemory-policy is ${evictionPolicy}, by which it throws jobs away when its memory is full`,
        'Set it to noeviction (CONFIG SET maxmemory-policy noeviction, and in redis.conf), or leave strict out.',
      );
    }
  }

  #refuse(what: string, advice: string): StoreRefusedError {
    return new StoreRefusedError(this.#connection, this.store, new Error(what), advice);
  }

  async #ask(client: RedisClient): Promise<ServerFacts> {
    if (!client.isCluster) return this.#askOne(client, client);
    const answers = await Promise.allSettled(client.nodes('master').map((node) => this.#askOne(node, client)));
    const facts = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
    // One that is away now is asked with the next connection.
    if (facts.length > 0) return factsOfAll(facts);
    const [failed] = answers;
    if (failed?.status === 'rejected') throw failed.reason;
    return UNKNOWN_SERVER;
  }

  async #askOne(node: RedisNode, client: RedisClient): Promise<ServerFacts> {
    const Command = this.commandsOf(client);
    const late = deferred<never>();
    const giveUp = (): void => late.reject(new Error(`no answer within ${FACTS_MS} ms`));
    const timer = setTimeout(() => afterReading(giveUp), FACTS_MS);
    timer.unref();
    try {
      const command = new Command('info', [], { replyEncoding: 'utf8' });
      return serverFacts(String(await Promise.race([node.sendCommand(command), late.promise])));
    } catch (error) {
      // It may be used, but not asked.
      if (redisFault(error) === 'refused' && /NOPERM/.test(String(error))) return UNKNOWN_SERVER;
      throw error;
    } finally {
      clearTimeout(timer);
      late.promise.catch(() => {});
    }
  }
}

/** What an eviction policy means for a queue, and what to set. */
export function evictionLine(connection: string, store: string, facts: ServerFacts): string {
  return `The store of the [${connection}] connection (${store}) has the eviction policy ${facts.evictionPolicy}: it throws jobs away when its memory is full. Set maxmemory-policy to noeviction.`;
}
