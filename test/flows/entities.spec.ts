import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { getDataSourceToken, TypeOrmModule } from '@nestjs/typeorm';
import {
  DeleteWhenMissingEntities,
  EntityMissingError,
  Job,
  JobFailed,
  Queueable,
  UnserializableError,
  WithoutRelations,
  withoutRelations,
} from 'nestjs-queue';
import libsql from 'libsql';
import {
  ChildEntity,
  Column,
  type DataSource,
  DeleteDateColumn,
  Entity,
  Generated,
  ManyToOne,
  OneToMany,
  PrimaryColumn,
  PrimaryGeneratedColumn,
  type Logger,
  type Relation,
  TableInheritance,
} from 'typeorm';
import { describeServer, useDatabase } from '../support/shared-servers.js';
import { closeApps, openApp, type Opened } from './open-app.js';

@Entity()
class Country {
  @PrimaryGeneratedColumn() id!: number;
  @Column({ type: 'varchar' }) name!: string;
}

@Entity()
class Author {
  @PrimaryGeneratedColumn() id!: number;
  @Column({ type: 'varchar' }) name!: string;
  @ManyToOne(() => Country) country?: Relation<Country>;
  @OneToMany(() => Podcast, (podcast) => podcast.author) podcasts?: Relation<Podcast[]>;
}

@Entity()
class Podcast {
  @PrimaryGeneratedColumn() id!: number;
  @Column({ type: 'varchar' }) title!: string;
  @ManyToOne(() => Author, (author) => author.podcasts, { nullable: true }) author?: Relation<Author> | null;
  @OneToMany(() => Episode, (episode) => episode.podcast) episodes?: Relation<Episode[]>;
  @DeleteDateColumn() deletedAt?: Date | null;
}

@Entity()
class Episode {
  @PrimaryColumn('uuid') @Generated('uuid') id!: string;
  @Column({ type: 'varchar' }) name!: string;
  @ManyToOne(() => Podcast, (podcast) => podcast.episodes) podcast?: Relation<Podcast>;
}

@Entity()
class Seat {
  @PrimaryColumn('int') row!: number;
  @PrimaryColumn('varchar', { length: 10 }) letter!: string;
  @Column({ type: 'varchar' }) guest!: string;
}

class Position {
  @PrimaryColumn('int') x!: number;
  @PrimaryColumn('int') y!: number;
}

@Entity()
class Tile {
  @Column(() => Position) at!: Position;
  @Column({ type: 'varchar' }) kind!: string;
}

@Entity()
class Account {
  @PrimaryColumn('bigint', {
    transformer: {
      to: (value: unknown) => (typeof value === 'bigint' ? String(value) : value),
      from: (value: unknown) => BigInt(value as string),
    },
  })
  number!: bigint;
  @Column({ type: 'varchar' }) owner!: string;
}

@Entity()
@TableInheritance({ column: { type: 'varchar', name: 'type' } })
class Medium {
  @PrimaryGeneratedColumn() id!: number;
  @Column({ type: 'varchar' }) title!: string;
}

@ChildEntity()
class Film extends Medium {
  @Column({ type: 'int' }) minutes!: number;
  @ManyToOne(() => Author, { nullable: true }) director?: Relation<Author> | null;
}

@Entity()
class Report {
  @PrimaryGeneratedColumn() id!: number;
  @Column({ type: 'varchar' }) title!: string;
}

@Entity()
class Shared {
  @PrimaryGeneratedColumn() id!: number;
}

const MAIN = [Country, Author, Podcast, Episode, Seat, Tile, Account, Medium, Film, Shared];

/** What handlers, `failed()` and so on were called with. */
let handled: any[] = [];
let failures: unknown[] = [];

@Job()
class Carry extends Queueable {
  constructor(readonly carried: any) {
    super();
  }
  handle() {
    handled.push(this.carried);
  }
  failed(error: Error | null) {
    failures.push(error);
  }
}

@Job()
@DeleteWhenMissingEntities()
class Forgiving extends Carry {}

@Job()
@WithoutRelations()
class Bare extends Carry {}
@Job()
class BareChild extends Bare {}

@Job()
class ByField extends Queueable {
  @WithoutRelations() podcast!: Podcast;
  other!: Podcast;
  handle() {
    handled.push(this);
  }
}

const JOBS = [Carry, Forgiving, Bare, BareChild, ByField];

const queries: string[] = [];
const log = {
  logQuery: (query: string) => void queries.push(query),
  logQueryError() {},
  logQuerySlow() {},
  logSchemaBuild() {},
  logMigration() {},
  log() {},
} as Logger;

function flows(options: () => { main: object; reports: object }): void {
  let at: Opened;
  let main: DataSource;
  let reports: DataSource;

  beforeEach(async () => {
    handled = [];
    failures = [];
    const given = options();
    const typeorm = (over: object) =>
      TypeOrmModule.forRoot({ synchronize: true, retryAttempts: 0, logging: true, logger: log, ...over } as never);
    at = await openApp('database', {
      imports: [
        typeorm({ ...given.main, entities: MAIN, dropSchema: true }),
        typeorm({ ...given.reports, entities: [Report, Shared], name: 'reports', dropSchema: true }),
      ],
      providers: JOBS,
      options: { connections: { database: { driver: 'database', dataSource: 'default', migrate: true } } },
    });
    main = at.app.get(getDataSourceToken());
    reports = at.app.get(getDataSourceToken('reports'));
    const country = await main.getRepository(Country).save({ name: 'France' });
    const author = await main.getRepository(Author).save({ name: 'Ada', country });
    for (const title of ['one', 'two', 'three']) {
      const podcast = await main.getRepository(Podcast).save({ title, author });
      await main.getRepository(Episode).save({ name: `${title} begins`, podcast });
    }
  });
  afterEach(closeApps);

  /** Through the store and back, as the handler gets it. */
  const trip = async (carried: unknown): Promise<any> => {
    await at.bus.dispatch(new Carry(carried));
    await at.drain();
    return handled.at(-1);
  };
  const podcast = (id: number, relations: object = {}): Promise<Podcast> =>
    main.getRepository(Podcast).findOneOrFail({ where: { id }, relations });
  const selects = (): string[] => queries.filter((one) => one.startsWith('SELECT') && /podcast|author|seat/i.test(one));
  const dataOf = async (): Promise<string> => {
    const [job] = await at.manager.connection().pendingJobs();
    return JSON.stringify((job!.payload as { data: object }).data);
  };

  it('come as they stand when the job runs, not as they were', async () => {
    const one = await podcast(1);
    await at.bus.dispatch(new Carry(one));
    await main.getRepository(Podcast).update(1, { title: 'renamed' });
    await at.drain();
    expect(handled[0]).toBeInstanceOf(Podcast);
    expect(handled[0]).toMatchObject({ id: 1, title: 'renamed' });
    expect(handled[0]).not.toBe(one);
  });

  it('bring the relations that were loaded, nested ones too', async () => {
    const loaded = await podcast(1, { author: { country: true }, episodes: true });
    await at.bus.dispatch(new Carry(loaded));
    expect(await dataOf()).toContain('"relations":["author","author.country","episodes"]');
    await main.getRepository(Country).update(1, { name: 'Spain' });
    await at.drain();
    const [carried] = handled as [Podcast];
    expect(carried.author).toBeInstanceOf(Author);
    expect(carried.author!.country).toEqual({ id: 1, name: 'Spain' });
    expect(carried.author!.country).toBeInstanceOf(Country);
    expect(carried.author!.podcasts).toBeUndefined();
    expect(carried.episodes!.map(({ name }) => name)).toEqual(['one begins']);
  });

  it('that lead back to themselves travel all the same', async () => {
    const loaded = await podcast(1, { author: { podcasts: true } });
    loaded.author!.podcasts = [loaded];
    const carried = (await trip(loaded)) as Podcast;
    expect(carried.author!.podcasts!.map(({ id }) => id).toSorted((a, b) => a - b)).toEqual([1, 2, 3]);
    expect(carried.author!.podcasts![0]!.author).toBeUndefined();
  });

  it('leave their relations behind by entity, class, parent class and field', async () => {
    const loaded = (): Promise<Podcast> => podcast(1, { author: { country: true } });
    expect((await trip(withoutRelations(await loaded()))).author).toBeUndefined();
    for (const type of [Bare, BareChild]) {
      await at.bus.dispatch(new type([await loaded()]));
      await at.drain();
      expect(handled.at(-1)[0].author).toBeUndefined();
    }
    const job = new ByField();
    job.podcast = await loaded();
    job.other = await loaded();
    await at.bus.dispatch(job);
    await at.drain();
    expect(handled.at(-1).podcast.author).toBeUndefined();
    expect(handled.at(-1).other.author.country.name).toBe('France');
  });

  it('have keys of several columns, embedded ones, uuids, and ones that a transformer turns', async () => {
    const seat = await main.getRepository(Seat).save({ row: 4, letter: 'C', guest: 'Grace' });
    const tiles = main.getRepository(Tile).create([
      { at: { x: 1, y: 2 }, kind: 'grass' },
      { at: { x: 2, y: 1 }, kind: 'water' },
    ]);
    await main.getRepository(Tile).save(tiles);
    const account = main.getRepository(Account).create({ number: 9_007_199_254_740_991n, owner: 'Ada' });
    await main.getRepository(Account).save(account);
    const episode = await main.getRepository(Episode).findOneByOrFail({ name: 'two begins' });
    const carried = await trip({
      seat: Object.assign(new Seat(), seat),
      tiles: [tiles[1], tiles[0]],
      account,
      episode,
    });
    expect(carried.seat).toMatchObject({ guest: 'Grace' });
    expect(carried.tiles.map(({ kind }: Tile) => kind)).toEqual(['water', 'grass']);
    expect(carried.account).toBeInstanceOf(Account);
    expect(carried.account).toMatchObject({ number: 9_007_199_254_740_991n, owner: 'Ada' });
    expect(carried.episode).toEqual(episode);
  });

  it('keep their class where several share a table', async () => {
    const director = await main.getRepository(Author).findOneByOrFail({ id: 1 });
    const film = await main
      .getRepository(Film)
      .save(main.getRepository(Film).create({ title: 'F', minutes: 90, director }));
    const asParent = await main.getRepository(Medium).findOneByOrFail({ id: film.id });
    const loaded = await main
      .getRepository(Film)
      .findOneOrFail({ where: { id: film.id }, relations: { director: true } });
    const carried = await trip({ film, asParent, loaded });
    for (const one of [carried.film, carried.asParent, carried.loaded]) {
      expect(one).toBeInstanceOf(Film);
      expect(one).toMatchObject({ title: 'F', minutes: 90 });
    }
    expect(carried.loaded.director.name).toBe('Ada');
  });

  it('stand in maps, sets, objects and lists, and in these inside each other', async () => {
    const [one, two, three] = [await podcast(1), await podcast(2), await podcast(3)];
    const carried = await trip({
      byName: new Map([['one', { inner: [one, 'text'] }]]),
      some: new Set([two]),
      deep: [{ list: [three, one] }],
    });
    expect(carried.byName.get('one').inner).toMatchObject([{ title: 'one' }, 'text']);
    expect([...carried.some]).toMatchObject([{ title: 'two' }]);
    expect(carried.deep[0].list.map(({ title }: Podcast) => title)).toEqual(['three', 'one']);
  });

  it('come in their order in lists, without the ones that are gone', async () => {
    const list = [await podcast(3), await podcast(1), await podcast(2)];
    await at.bus.dispatch(new Carry({ list, empty: [] }));
    await main.getRepository(Episode).clear();
    await main.getRepository(Podcast).delete(1);
    await at.drain();
    expect(handled[0].list.map(({ id }: Podcast) => id)).toEqual([3, 2]);
    expect(handled[0].empty).toEqual([]);
  });

  it('are fetched by one query a class and set of relations', async () => {
    for (let row = 0; row < 150; row += 1)
      await main.getRepository(Seat).insert({ row, letter: 'A', guest: `g${row}` });
    const seats = await main.getRepository(Seat).find({ order: { row: 'DESC' } });
    const withAuthor = [await podcast(1, { author: true }), await podcast(2, { author: true })];
    await at.bus.dispatch(
      new Carry({ seats, withAuthor, plain: await podcast(1), again: await podcast(3), seat: seats[0] }),
    );
    queries.length = 0;
    await at.drain();
    expect(selects()).toHaveLength(3);
    expect(handled[0].seats.map(({ row }: Seat) => row)).toEqual(seats.map(({ row }) => row));
  });

  it('come from the data source that has them, by its name in Nest', async () => {
    const report = await reports.getRepository(Report).save(reports.getRepository(Report).create({ title: 'Q3' }));
    await at.bus.dispatch(new Carry({ report, podcast: await podcast(1) }));
    expect(await dataOf()).toContain('"source":"reports"');
    await reports.getRepository(Report).update(report.id, { title: 'Q4' });
    await at.drain();
    expect(handled[0]).toMatchObject({ report: { title: 'Q4' }, podcast: { title: 'one' } });
    expect(handled[0].report).toBeInstanceOf(Report);
  });

  it('are refused where two data sources have the class, or one list has entities of two', async () => {
    const shared = await main.getRepository(Shared).save(main.getRepository(Shared).create());
    const report = await reports.getRepository(Report).save(reports.getRepository(Report).create({ title: 'Q3' }));
    const refusal = (carried: unknown): Promise<unknown> =>
      at.bus.dispatch(new Carry(carried)).then(
        () => undefined,
        (error: unknown) => error,
      );
    const ambiguous = await refusal(shared);
    expect(ambiguous).toBeInstanceOf(UnserializableError);
    expect((ambiguous as Error).message).toMatch(/^Carry\.carried is a Shared, .* default and reports both have/);
    const mixed = await refusal([await podcast(1), report]);
    expect(mixed).toBeInstanceOf(UnserializableError);
    expect(mixed).toMatchObject({ path: 'carried[1]' });
    expect((mixed as Error).message).toMatch(/is a Report of another data source/);
    expect((await at.manager.connection().size()).total).toBe(0);
  });

  it('that are soft-deleted are still there', async () => {
    const carried = podcast(1);
    await at.bus.dispatch(new Carry(await carried));
    await main.getRepository(Podcast).softDelete(1);
    await at.drain();
    expect(handled[0].deletedAt).toBeInstanceOf(Date);
    expect(await at.failed.count()).toBe(0);
  });

  it('that are gone fail the job at once: recorded, with its event, without its failed()', async () => {
    const events: JobFailed[] = [];
    at.manager.on(JobFailed, (event) => void events.push(event));
    const seat = main.getRepository(Seat).create({ row: 1, letter: 'A', guest: 'x' });
    await main.getRepository(Seat).save(seat);
    const receipt = await at.bus.dispatch(new Carry({ seat }));
    await main.getRepository(Seat).clear();
    at.names();
    await at.drain({ tries: 5 });
    expect(handled).toEqual([]);
    expect(failures).toEqual([]);
    expect(at.names()).toEqual(['JobPopped', 'JobProcessing', 'JobFailed', 'JobExceptionOccurred', 'JobAttempted']);
    expect(events[0]!.error).toBeInstanceOf(EntityMissingError);
    const record = await at.failed.find(receipt!.id);
    expect(record!.exception).toContain('There is no Seat with row 1 and letter A any more');
    // Back in its place it can be done by a retry.
    await main.getRepository(Seat).insert({ row: 1, letter: 'A', guest: 'y' });
    await at.failed.retry(receipt!.id);
    await at.drain();
    expect(handled).toMatchObject([{ seat: { guest: 'y' } }]);
  });

  it('that are gone end a job with @DeleteWhenMissingEntities() silently', async () => {
    const seat = main.getRepository(Seat).create({ row: 1, letter: 'A', guest: 'x' });
    await main.getRepository(Seat).save(seat);
    await at.bus.dispatch(new Forgiving({ deep: new Map([['seat', seat]]) }));
    await main.getRepository(Seat).clear();
    at.names();
    await at.drain();
    expect(at.names()).toEqual(['JobPopped', 'JobProcessing', 'JobProcessed', 'JobAttempted']);
    expect([handled, failures]).toEqual([[], []]);
    expect(await at.failed.count()).toBe(0);
    expect((await at.manager.connection().size()).total).toBe(0);
  });

  it.each([
    ['an entity that is not registered', { entity: 'User', id: { id: 1 } }],
    ['an entity of another data source', { entity: 'Report', id: { id: 1 } }],
    ['a table', { entity: 'podcast', id: { id: 1 } }],
    ['a relation that it does not have', { entity: 'Podcast', id: { id: 1 }, relations: ['author.password'] }],
    ['a condition for a key', { entity: 'Podcast', id: { id: { _type: 'not', _value: 0 } } }],
    [
      'relations without end',
      { entity: 'Podcast', id: { id: 1 }, relations: [Array(10).fill('author.podcasts').join('.')] },
    ],
  ])('a stored reference to %s is refused and recorded, and nothing is fetched', async (_, v) => {
    await at.bus.dispatch(new Carry(await podcast(1)));
    const { payload } = (await at.manager.connection().pendingJobs())[0]!;
    await at.manager.connection().clear();
    const data = { $t: 'Fields', entities: true, v: { carried: { $t: 'Entity', v } } };
    await at.manager.connection().pushRaw(JSON.stringify({ ...payload, data }));
    queries.length = 0;
    await at.drain();
    expect(handled).toEqual([]);
    expect(selects()).toEqual([]);
    const [record] = await at.failed.all();
    expect(record!.exception).toContain('InvalidPayloadError');
  });
}

describe('entities on SQLite', () => {
  let dir: string;
  beforeAll(() => void (dir = mkdtempSync(join(tmpdir(), 'queue-entities-'))));
  afterAll(() => rmSync(dir, { recursive: true, force: true }));
  const file = (name: string): object => ({ type: 'better-sqlite3', driver: libsql, database: join(dir, name) });
  flows(() => ({ main: file('main.sqlite'), reports: file('reports.sqlite') }));
});

describeServer('postgres', 'entities on Postgres', () => {
  const main = useDatabase('postgres');
  const reports = useDatabase('postgres');
  flows(() => ({ main: { type: 'postgres', url: main.url }, reports: { type: 'postgres', url: reports.url } }));
});

describeServer('mariadb', 'entities on MariaDB', () => {
  const main = useDatabase('mariadb');
  const reports = useDatabase('mariadb');
  flows(() => ({ main: { type: 'mariadb', url: main.url }, reports: { type: 'mariadb', url: reports.url } }));
});
