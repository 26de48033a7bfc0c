import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  Column,
  CreateDateColumn,
  DataSource,
  DeleteDateColumn,
  Entity,
  EntitySchema,
  JoinTable,
  ManyToMany,
  ManyToOne,
  OneToMany,
  PrimaryColumn,
  PrimaryGeneratedColumn,
  type Logger,
  type Relation,
} from 'typeorm';
import libsql from 'libsql';
import { EntityReferences } from '../../../lib/job/entity-reference.js';
import { PayloadCodec } from '../../../lib/job/payload-codec.js';
import { EntityMissingError, InvalidPayloadError, UnserializableError } from '../../../lib/job/payload-errors.js';
import type { DataSourceLike } from '../../../lib/job/typeorm-shapes.js';
import { relationsDropped, WithoutRelations, withoutRelations } from '../../../lib/job/without-relations.js';

@Entity()
class Author {
  @PrimaryGeneratedColumn() id!: number;
  @Column() name!: string;
  @OneToMany(() => Podcast, (podcast) => podcast.author) podcasts?: Relation<Podcast[]>;
}

@Entity()
class Podcast {
  @PrimaryGeneratedColumn() id!: number;
  @Column() title!: string;
  @ManyToOne(() => Author, (author) => author.podcasts, { nullable: true }) author?: Relation<Author> | null;
  @ManyToMany(() => Tag)
  @JoinTable()
  tags?: Relation<Tag[]>;
  @ManyToOne(() => Author, { lazy: true, nullable: true }) owner!: Promise<Author | null>;
  @DeleteDateColumn() deletedAt?: Date | null;
}

@Entity()
class Tag {
  @PrimaryColumn('varchar') name!: string;
}

@Entity()
class Seat {
  @PrimaryColumn('int') row!: number;
  @PrimaryColumn('varchar') letter!: string;
  @Column({ default: '' }) guest!: string;
}

/** Its key is a relation. */
@Entity()
class Biography {
  @ManyToOne(() => Author) author!: Relation<Author>;
  @PrimaryColumn('int') authorId!: number;
  @PrimaryColumn('varchar') language!: string;
}

@Entity()
class Rating {
  @ManyToOne(() => Podcast, { createForeignKeyConstraints: false })
  podcast!: Relation<Podcast>;
  @PrimaryColumn('int') podcastId!: number;
  @Column('int') stars!: number;
}

class Position {
  @PrimaryColumn('int') x!: number;
  @PrimaryColumn('int') y!: number;
}

@Entity()
class Tile {
  @Column(() => Position) at!: Position;
  @Column() kind!: string;
}

@Entity()
class Reading {
  @PrimaryColumn('datetime') at!: Date;
  @PrimaryColumn('blob') sensor!: Buffer;
  @PrimaryColumn('bigint', {
    transformer: {
      to: (value: unknown) => (typeof value === 'bigint' ? String(value) : value),
      from: (value: string) => BigInt(value),
    },
  })
  count!: bigint;
}

@Entity()
class Document {
  @PrimaryGeneratedColumn('uuid') id!: string;
  @CreateDateColumn() createdAt!: Date;
}

class Plain {
  code!: string;
}
const PlainSchema = new EntitySchema<Plain>({
  name: 'Plain',
  target: Plain,
  columns: { code: { type: 'varchar', primary: true } },
});

@Entity()
class Report {
  @PrimaryGeneratedColumn() id!: number;
}

class Guarded extends Podcast {}

const queries: string[] = [];
const log = {
  logQuery: (query: string) => void queries.push(query),
  logQueryError() {},
  logQuerySlow() {},
  logSchemaBuild() {},
  logMigration() {},
  log() {},
} as Logger;

function sqlite(entities: (Function | EntitySchema)[], name?: string): DataSource {
  return new DataSource({
    type: 'better-sqlite3',
    driver: libsql,
    database: ':memory:',
    synchronize: true,
    entities,
    logging: true,
    logger: log,
    ...(name === undefined ? {} : { name }),
  } as never);
}

describe('entities in a payload', () => {
  const main = sqlite([Author, Podcast, Tag, Seat, Biography, Rating, Tile, Reading, Document, PlainSchema]);
  const reports = sqlite([Report], 'reports');
  // Compiles only as long as TypeORM's own type has the shape.
  const sources: readonly DataSourceLike[] = [main, reports];
  const codec = new PayloadCodec(new Map(), new EntityReferences(() => sources));

  const write = (fields: Record<string, unknown>, drop?: (field: string) => boolean): string =>
    JSON.stringify(codec.encode(fields, 'ProcessPodcast', drop));
  const read = async (text: string): Promise<Record<string, unknown>> => {
    const decoded = codec.decode(JSON.parse(text));
    await codec.resolve(decoded);
    return decoded.fields;
  };
  const trip = async <T extends object>(value: T): Promise<T> => (await read(write({ value })))['value'] as T;

  beforeAll(async () => {
    await main.initialize();
    await reports.initialize();
  });
  afterAll(async () => {
    await main.destroy();
    await reports.destroy();
  });

  let author: Author;
  let podcasts: Podcast[];
  beforeEach(async () => {
    await main.synchronize(true);
    author = await main.getRepository(Author).save(main.getRepository(Author).create({ name: 'Ada' }));
    podcasts = await main
      .getRepository(Podcast)
      .save(['one', 'two', 'three'].map((title) => main.getRepository(Podcast).create({ title, author })));
    podcasts = await main.getRepository(Podcast).find({ order: { id: 'ASC' } });
    queries.length = 0;
  });

  it('travel as class and key, and are fetched anew', async () => {
    const text = write({ podcast: podcasts[0], bitrate: 128 });
    expect(JSON.parse(text)).toEqual({
      $t: 'Fields',
      entities: true,
      v: { podcast: { $t: 'Entity', v: { entity: 'Podcast', id: { id: 1 } } }, bitrate: 128 },
    });
    await main.getRepository(Podcast).update(1, { title: 'renamed' });
    const { podcast, bitrate } = (await read(text)) as { podcast: Podcast; bitrate: number };
    expect(podcast).toBeInstanceOf(Podcast);
    expect(podcast.title).toBe('renamed');
    expect(podcast.author).toBeUndefined();
    expect(bitrate).toBe(128);
  });

  it('cost nothing and no promise where there are none', () => {
    const decoded = codec.decode(JSON.parse(write({ at: new Date(0), list: [] })));
    expect(decoded).toEqual({ fields: { at: new Date(0), list: [] } });
    expect(queries).toEqual([]);
  });

  it('have no fields before they are fetched', () => {
    const decoded = codec.decode(JSON.parse(write({ podcast: podcasts[0], n: 1 })));
    expect(decoded.pending?.requests).toHaveLength(1);
    expect(decoded.fields).toEqual({});
  });

  it('bring the relations along that were loaded, empty ones too, and not the lazy ones', async () => {
    await main.getRepository(Tag).insert({ name: 'science' });
    const saved = await main
      .getRepository(Podcast)
      .findOneOrFail({ where: { id: 1 }, relations: { author: true, tags: true } });
    expect(await saved.owner).toBeNull();
    const text = write({ saved });
    expect(text).toContain('"relations":["author","tags"]');
    const before = (await read(text))['saved'] as Podcast;
    expect(before.author).toMatchObject({ name: 'Ada' });
    expect(before.author).toBeInstanceOf(Author);
    expect(before.tags).toEqual([]);
    await main.createQueryBuilder().relation(Podcast, 'tags').of(1).add('science');
    expect(((await read(text))['saved'] as Podcast).tags).toEqual([{ name: 'science' }]);
  });

  it('leave relations behind by withoutRelations(), by class, by field', async () => {
    const load = (): Promise<Podcast> =>
      main.getRepository(Podcast).findOneOrFail({ where: { id: 1 }, relations: { author: true } });
    const marked = await load();
    expect(withoutRelations(marked)).toBe(marked);
    expect(write({ marked })).not.toContain('relations');

    @WithoutRelations()
    class Bare {}
    class BareChild extends Bare {}
    class ByField {
      @WithoutRelations() podcast!: Podcast;
      other!: Podcast;
    }
    class ByFieldChild extends ByField {}
    class Whole {}
    expect(relationsDropped(Bare, 'any')).toBe(true);
    expect(relationsDropped(BareChild, 'any')).toBe(true);
    expect(relationsDropped(ByField, 'podcast')).toBe(true);
    expect(relationsDropped(ByFieldChild, 'podcast')).toBe(true);
    expect(relationsDropped(ByField, 'other')).toBe(false);
    expect(relationsDropped(Whole, 'podcast')).toBe(false);

    const fields = { podcast: await load(), other: { deep: [await load()] }, list: [await load()] };
    const v = (JSON.parse(write(fields, (field) => relationsDropped(ByField, field))) as { v: Record<string, unknown> })
      .v;
    expect(JSON.stringify(v['podcast'])).not.toContain('relations');
    expect(JSON.stringify(v['other'])).toContain('relations');
    expect(JSON.stringify(v['list'])).toContain('relations');
    expect(write(fields, () => true)).not.toContain('relations');
  });

  it('are found wherever they stand', async () => {
    const [one, two, three] = podcasts as [Podcast, Podcast, Podcast];
    const fields = (await read(
      write({
        map: new Map<unknown, unknown>([[one, { inner: two }]]),
        set: new Set([three]),
        error: new Error('e', { cause: one }),
        mixed: [one, 1],
      }),
    )) as { map: Map<Podcast, { inner: Podcast }>; set: Set<Podcast>; error: Error; mixed: unknown[] };
    const [[key, value]] = [...fields.map] as [[Podcast, { inner: Podcast }]];
    expect([key.title, value.inner.title, [...fields.set][0]!.title]).toEqual(['one', 'two', 'three']);
    expect(fields.error.cause).toBeInstanceOf(Podcast);
    expect(fields.mixed[0]).toMatchObject({ title: 'one' });
  });

  it('are fetched by one query for each class', async () => {
    const text = write({ a: podcasts[0], b: podcasts[1], again: podcasts[0], list: podcasts, author });
    queries.length = 0;
    const fields = (await read(text)) as { a: Podcast; again: Podcast; list: Podcast[] };
    expect(queries.filter((query) => query.startsWith('SELECT'))).toHaveLength(2);
    expect(fields.again).toEqual(fields.a);
    expect(fields.list.map(({ id }) => id)).toEqual([1, 2, 3]);
  });

  describe('in lists', () => {
    it('keep their order and lose the ones that are gone', async () => {
      const text = write({ list: [podcasts[2], podcasts[0], podcasts[1], podcasts[2]] });
      await main.getRepository(Podcast).delete(1);
      expect(((await read(text))['list'] as Podcast[]).map(({ id }) => id)).toEqual([3, 2, 3]);
      await main.getRepository(Podcast).deleteAll();
      expect((await read(text))['list']).toEqual([]);
    });

    it('may be of many classes, and more than one query takes', async () => {
      const seats = Array.from({ length: 1_500 }, (_, index) => ({
        row: 1_500 - index,
        letter: 'A',
        guest: `g${index}`,
      }));
      await main.getRepository(Seat).save(seats, { chunk: 500 });
      const loaded = await main.getRepository(Seat).find({ order: { row: 'DESC' } });
      const returned = await trip([author, ...loaded, podcasts[0]!]);
      expect(returned).toHaveLength(1_502);
      expect(returned[0]).toBeInstanceOf(Author);
      expect((returned.slice(1, -1) as Seat[]).map(({ guest }) => guest)).toEqual(loaded.map(({ guest }) => guest));
    });
  });

  it('that are gone raise EntityMissingError', async () => {
    const seat = await main.getRepository(Seat).save(main.getRepository(Seat).create({ row: 4, letter: 'C' }));
    const texts = [write({ podcast: podcasts[1] }), write({ deep: { seat }, author })];
    await main.getRepository(Podcast).delete(2);
    await main.getRepository(Seat).clear();
    const error = await read(texts[0]!).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(EntityMissingError);
    expect(error).toMatchObject({ code: 'ERR_QUEUE_ENTITY_MISSING', entity: 'Podcast', id: { id: 2 } });
    expect((error as Error).message).toMatch(/^There is no Podcast with id 2 any more/);
    await expect(read(texts[1]!)).rejects.toThrow(/^There is no Seat with row 4 and letter C any more/);
  });

  it('that are soft-deleted are still there, without dragging other soft-deleted rows in', async () => {
    const loaded = await main.getRepository(Author).findOneOrFail({ where: { id: 1 }, relations: { podcasts: true } });
    const text = write({ podcast: podcasts[0], loaded });
    await main.getRepository(Podcast).softDelete(1);
    const fields = (await read(text)) as { podcast: Podcast; loaded: Author };
    expect(fields.podcast.deletedAt).toBeInstanceOf(Date);
    expect(fields.loaded.podcasts!.map(({ id }) => id)).toEqual([2, 3]);
  });

  describe('by every kind of key', () => {
    it('composite', async () => {
      const repository = main.getRepository(Seat);
      const seats = await repository.save([
        repository.create({ row: 1, letter: 'A', guest: 'a' }),
        repository.create({ row: 1, letter: 'B', guest: 'b' }),
        repository.create({ row: 2, letter: 'A', guest: 'c' }),
      ]);
      expect((await trip([seats[2]!, seats[0]!])).map(({ guest }) => guest)).toEqual(['c', 'a']);
    });

    it('date, bytes and bigint', async () => {
      const repository = main.getRepository(Reading);
      const reading = repository.create({
        at: new Date('2030-01-02T03:04:05.678Z'),
        sensor: Buffer.from([0, 255]),
        count: 9_007_199_254_740_991n,
      });
      const { at, sensor, count } = reading;
      await repository.insert({ at, sensor, count });
      const returned = await trip(reading);
      expect(returned).toBeInstanceOf(Reading);
      expect(returned.count).toBe(9_007_199_254_740_991n);
    });

    it('uuid, whatever its case', async () => {
      const saved = await main.getRepository(Document).save(main.getRepository(Document).create());
      expect((await trip(saved)).id).toBe(saved.id);
    });

    it('of a relation', async () => {
      const biography = main.getRepository(Biography).create({ authorId: 1, language: 'en' });
      await main.getRepository(Biography).save(biography);
      expect(await trip(biography)).toMatchObject({ authorId: 1, language: 'en' });
      const rating = main.getRepository(Rating).create({ podcastId: 2, stars: 5 });
      await main.getRepository(Rating).save(rating);
      expect(await trip([rating])).toMatchObject([{ podcastId: 2, stars: 5 }]);
    });

    it('embedded', async () => {
      const repository = main.getRepository(Tile);
      const tiles = [1, 2].map((x) => repository.create({ at: { x, y: 3 }, kind: `k${x}` }));
      await repository.save(tiles);
      expect(write({ tile: tiles[0] })).toContain('"id":{"at.x":1,"at.y":3}');
      expect((await trip([tiles[1]!, tiles[0]!])).map(({ kind }) => kind)).toEqual(['k2', 'k1']);
    });

    it('of a schema with a class', async () => {
      const plain = Object.assign(new Plain(), { code: 'x' });
      await main.getRepository(Plain).insert({ code: 'x' });
      expect(await trip(plain)).toBeInstanceOf(Plain);
    });
  });

  it('come from their own data source', async () => {
    const report = await reports.getRepository(Report).save(reports.getRepository(Report).create());
    expect(write({ report })).toContain('"source":"reports"');
    expect(await trip(report)).toBeInstanceOf(Report);
  });

  it('that have not been saved are refused, and so are their subclasses and unknown classes', () => {
    const refused = (value: unknown): UnserializableError => {
      try {
        codec.encode({ a: [value] }, 'ProcessPodcast');
      } catch (error) {
        return error as UnserializableError;
      }
      throw new Error('It was not refused.');
    };
    const fresh = main.getRepository(Podcast).create({ title: 'new' });
    expect(refused(fresh)).toBeInstanceOf(UnserializableError);
    expect(refused(fresh)).toMatchObject({
      path: 'a[0]',
      message:
        'ProcessPodcast.a[0] is a Podcast without id: it has not been saved yet. Save it before dispatching the job.',
    });
    expect(refused(new Guarded()).message).toMatch(/is a Guarded\..*initialize its DataSource/);
    expect(refused(Object.assign(new Seat(), { row: 1, letter: { not: 'a key' } })).message).toMatch(
      /letter is of a kind/,
    );
  });

  describe('from a store that was tampered with', () => {
    const entity = (v: unknown): string =>
      JSON.stringify({ $t: 'Fields', entities: true, v: { a: { $t: 'Entity', v } } });

    it.each<[string, unknown]>([
      ['an entity that is not registered', { entity: 'User', id: { id: 1 } }],
      ['one of another data source', { entity: 'Report', id: { id: 1 } }],
      ['a data source that is not known', { entity: 'Podcast', id: { id: 1 }, source: 'other' }],
      ['a junction table', { entity: 'podcast_tags_tag', id: { podcastId: 1, tagName: 'x' } }],
      ['a table name', { entity: 'podcast', id: { id: 1 } }],
      ['a name of Object.prototype', { entity: 'constructor', id: { id: 1 } }],
      ['a name that is none', { entity: { x: 1 }, id: { id: 1 } }],
      ['no key', { entity: 'Podcast' }],
      ['another key', { entity: 'Podcast', id: { title: 'one' } }],
      ['an inherited key', { entity: 'Podcast', id: [] }],
      ['half a key', { entity: 'Seat', id: { row: 1 } }],
      ['a null key', { entity: 'Podcast', id: { id: null } }],
      [
        'a condition as key',
        { entity: 'Podcast', id: { id: { '@instanceof': 'FindOperator', _type: 'not', _value: 0 } } },
      ],
      ['a list as key', { entity: 'Podcast', id: { id: [1, 2] } }],
      ['a tag as key', { entity: 'Podcast', id: { id: { $t: 'Map', v: [] } } }],
      ['an invalid date as key', { entity: 'Podcast', id: { id: { $t: 'Date', v: null } } }],
      ['a relation it does not have', { entity: 'Podcast', id: { id: 1 }, relations: ['password'] }],
      ['a relation of Object.prototype', { entity: 'Podcast', id: { id: 1 }, relations: ['__proto__'] }],
      ['relations of another kind', { entity: 'Podcast', id: { id: 1 }, relations: { author: { podcasts: true } } }],
      ['nothing', null],
    ])('%s is refused, unfetched', (_, v) => {
      expect(() => codec.decode(JSON.parse(entity(v)))).toThrow(InvalidPayloadError);
      expect(queries).toEqual([]);
    });

    it('takes the key alone where there is more', async () => {
      const { a } = (await read(entity({ entity: 'Podcast', id: { id: 1, title: 'two' } }))) as { a: Podcast };
      expect(a.id).toBe(1);
    });

    it('fetches nothing that the outside does not announce', () => {
      const inside = { a: { $t: 'Entity', v: { entity: 'Podcast', id: { id: 1 } } } };
      expect(() => codec.decode({ $t: 'Fields', v: inside })).toThrow(InvalidPayloadError);
      expect(codec.decode(inside)).toEqual({ fields: inside });
    });

    it('fetches nothing that is the data of the user', async () => {
      const data = { $t: 'Entity', v: { entity: 'Podcast', id: { id: 99 } } };
      expect(await read(write({ data, list: [{ $t: 'Entities', v: [1] }], podcast: podcasts[0] }))).toMatchObject({
        data,
        list: [{ $t: 'Entities', v: [1] }],
        podcast: { id: 1 },
      });
    });

    it('says so where there is no data source at all', () => {
      expect(() =>
        new PayloadCodec(new Map()).decode(JSON.parse(entity({ entity: 'Podcast', id: { id: 1 } }))),
      ).toThrow(/no DataSource/);
    });
  });
});

describe('EntityReferences over other databases', () => {
  class Thing {
    constructor(readonly id: string) {}
  }
  const rows = [new Thing('abc'), new Thing('DEF')];
  const modes: string[] = [];
  let released = 0;
  const source = (options: object): DataSourceLike => {
    const metadata = {
      name: 'Thing',
      tablePath: 'thing',
      target: Thing,
      isJunction: false,
      primaryColumns: [{ propertyName: 'id', propertyPath: 'id', getEntityValue: (thing: Thing) => thing.id }],
      relations: [],
    };
    // Compares as MySQL does.
    const repository = {
      find: (options: object) => {
        const asked = (options as { where: { id: string }[] }).where.map(({ id }) => id.toLowerCase());
        return Promise.resolve<object[]>(rows.filter(({ id }) => asked.includes(id.toLowerCase())));
      },
    };
    return {
      options,
      entityMetadatas: [metadata],
      hasMetadata: (target) => target === Thing,
      getMetadata: () => metadata,
      getRepository: () => repository,
      createQueryRunner: (mode) => {
        modes.push(mode);
        return { manager: { getRepository: () => repository }, release: () => Promise.resolve(void released++) };
      },
    };
  };
  const load = async (options: object, ids: string[]): Promise<unknown[]> => {
    const sources = [source(options)];
    const references = new EntityReferences(() => sources);
    const requests = ids.map((id) => references.request(references.reference(new Thing(id), true)));
    return (await references.load(requests)).map(({ entity }) => (entity as Thing | undefined)?.id);
  };

  it('reads where writes go, and hands the connection back', async () => {
    expect(await load({ replication: {} }, ['abc'])).toEqual(['abc']);
    expect(modes).toEqual(['master']);
    expect(released).toBe(1);
  });

  it('knows a key that comes back in another case, the exact one first', async () => {
    expect(await load({}, ['ABC', 'DEF'])).toEqual(['abc', 'DEF']);
    expect(await load({}, ['def', 'DEF', 'gone'])).toEqual([undefined, 'DEF', undefined]);
  });
});
