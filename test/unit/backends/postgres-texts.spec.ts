import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { readBody, storedBody } from '../../../lib/backends/body-text.js';
import { ownOptions } from '../../../lib/backends/database/postgres/own-options.js';
import { joinedText, textArray, wholeMs } from '../../../lib/backends/database/postgres/parameters.js';
import { postgresFaults } from '../../../lib/backends/database/postgres/postgres-faults.js';
import { postgresFlavour } from '../../../lib/backends/database/postgres/postgres-flavour.js';
import { LostLinkError } from '../../../lib/backends/database/server/link.js';

describe('a stored body', () => {
  const id = '019a1b2c-0000-7000-8000-000000000000';

  it('comes back as it was, whatever is in it', () => {
    const part = fc.constantFrom(id, '\x7f', '\0', '\ud800', '\u{10FFFF}', '"', 'x', '');
    fc.assert(
      fc.property(fc.array(part, { maxLength: 6 }), (parts) => {
        const body = parts.join('');
        expect(readBody(storedBody(body, id), id)).toBe(body);
      }),
      { numRuns: 2_000 },
    );
  });

  it('has no two bodies become one', () => {
    const part = fc.constantFrom(id, '\x7f', '\u{10FFFF}', 'x');
    const text = fc.array(part, { maxLength: 5 }).map((parts) => parts.join(''));
    fc.assert(
      fc.property(text, text, (one, other) => {
        expect(storedBody(one, id) === storedBody(other, id)).toBe(one === other);
      }),
      { numRuns: 2_000 },
    );
  });

  it('has one character for the id, where it stands once', () => {
    expect(storedBody(`{"uuid":"${id}"}`, id)).toBe('{"uuid":"\x7f"}');
    expect(storedBody(`{"uuid":"${id}","of":"${id}"}`, id)).toHaveLength(91);
  });
});

describe('parameters', () => {
  it('joins texts that do not hold what stands between them', () => {
    expect(joinedText(['a', '', 'b'])).toBe('a\x1f\x1fb');
    expect(joinedText([''])).toBeUndefined();
    expect(joinedText(['a', 'b\x1f'])).toBeUndefined();
  });

  it('writes arrays of any texts', () => {
    expect(textArray(['a"b', 'c\\', null, '', 'NULL'])).toBe('{"a\\"b","c\\\\",NULL,"","NULL"}');
  });

  it('rounds times up, and keeps them within what the clock can be added to', () => {
    expect([-5, 0, 0.2, Infinity].map(wholeMs)).toEqual([0, 0, 1, 4e15]);
  });

  it('numbers the parameters of a statement', () => {
    const { name, text } = postgresFlavour.statement('SELECT ? + ?');
    expect([text, postgresFlavour.statement('SELECT ? + ?').name]).toEqual(['SELECT $1 + $2', name]);
  });
});

describe('faults of Postgres', () => {
  const coded = (code: string) => Object.assign(new Error('said by the server'), { code, severity: 'ERROR' });
  it.each([
    [
      'unavailable',
      ['08006', '57P01', '57P02', '57P03', '57P05', '53300', '57014', '25006', 'ECONNREFUSED', 'ECONNRESET'],
    ],
    ['conflict', ['40001', '40P01', '55P03']],
    ['row', ['22003', '22P02', '23502', '23505']],
    ['schema', ['42P01', '42703']],
    ['full', ['53100']],
    ['refused', ['28P01', '28000', '3D000', '42501']],
    ['other', ['42601', 'ERR_ASSERTION']],
  ])('%s', (fault, codes) => {
    for (const code of codes) {
      expect([code, postgresFaults.of(coded(code))]).toEqual([code, fault]);
      const wrapped = Object.assign(new Error('QueryFailedError'), { driverError: coded(code) });
      expect([code, postgresFaults.of(wrapped)]).toEqual([code, fault]);
    }
  });

  it('knows what pg and its pool say without a code', () => {
    for (const message of [
      'Connection terminated unexpectedly',
      'timeout exceeded when trying to connect',
      'timeout expired',
      'Connection terminated due to connection timeout',
    ])
      expect(postgresFaults.of(new Error(message))).toBe('unavailable');
    expect(postgresFaults.of(new LostLinkError(new Error('x')))).toBe('unavailable');
    expect(postgresFaults.of(new Error('anything'))).toBe('other');
    expect(postgresFaults.of(undefined)).toBe('other');
  });

  it('knows a server that takes no writes', () => {
    expect([postgresFaults.readOnly(coded('25006')), postgresFaults.readOnly(coded('40001'))]).toEqual([true, false]);
  });
});

describe('the options of the own pool', () => {
  const own = { applicationName: 'nestjs-queue', poolSize: 5, connectTimeoutMs: 3_000 };

  it('takes the way to the server and nothing else from the application', () => {
    const options = ownOptions(
      {
        type: 'postgres',
        name: 'default',
        host: 'db',
        port: 6432,
        username: 'me',
        password: 'secret',
        ssl: true,
        entities: [class {}],
        synchronize: true,
        logging: 'all',
        migrationsRun: true,
        dropSchema: true,
        cache: true,
        extra: { max: 90, query_timeout: 1, options: '-c search_path=queue' },
      },
      own,
    );
    expect(options).toMatchObject({
      type: 'postgres',
      host: 'db',
      port: 6432,
      username: 'me',
      password: 'secret',
      ssl: true,
      entities: [],
      synchronize: false,
      logging: false,
      poolSize: 5,
      applicationName: 'nestjs-queue',
      extra: { max: 5, keepAlive: true, options: '-c search_path=queue', connectionTimeoutMillis: 3_000 },
    });
    for (const gone of ['name', 'migrationsRun', 'dropSchema', 'cache', 'replication'])
      expect(options).not.toHaveProperty(gone);
    expect(options['extra']).not.toHaveProperty('query_timeout');
  });

  it('goes to the primary of a replicated set', () => {
    const replication = { master: { host: 'primary', database: 'app' }, slaves: [{ host: 'replica' }] };
    expect(ownOptions({ type: 'postgres', username: 'me', replication }, own)).toMatchObject({
      host: 'primary',
      database: 'app',
      username: 'me',
    });
  });
});
