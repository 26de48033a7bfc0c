import { describe, expect, it } from '@jest/globals';
import {
  assertQueueName,
  InvalidQueueNameError,
  parseQueueTarget,
  queueNames,
} from '../../../lib/connections/queue-name.js';
import { QueueRoutes } from '../../../lib/connections/queue-routes.js';
import { InvalidOptionError } from '../../../lib/support/queue-error.js';

class Invoice {}
class LateInvoice extends Invoice {}
const defaults = { connection: 'database', queueOf: (connection: string) => `own-of-${connection}` };

describe('QueueRoutes', () => {
  it('goes by what was asked for, then the class, then its parents, then the defaults', () => {
    const routes = new QueueRoutes();
    expect(routes.resolve({ type: LateInvoice }, defaults)).toEqual({
      connection: 'database',
      queue: 'own-of-database',
      requestedQueue: null,
    });
    routes.route(Invoice, { connection: 'redis', queue: 'billing' });
    expect(routes.resolve({ type: LateInvoice }, defaults)).toEqual({
      connection: 'redis',
      queue: 'billing',
      requestedQueue: 'billing',
    });
    routes.route(LateInvoice, { queue: 'late' });
    expect(routes.resolve({ type: LateInvoice }, defaults)).toMatchObject({ connection: 'database', queue: 'late' });
    expect(routes.resolve({ type: Invoice, connection: 'memory', queue: 'now' }, defaults)).toEqual({
      connection: 'memory',
      queue: 'now',
      requestedQueue: 'now',
    });
    expect(routes.resolve({ type: Invoice, connection: 'memory' }, defaults)).toMatchObject({
      connection: 'memory',
      queue: 'billing',
    });
  });

  it('forwards everywhere, or on one connection which it then supplies', () => {
    const routes = new QueueRoutes();
    expect(routes.forwards).toBe(false);
    routes.forward('mails', 'letters');
    routes.forward('mails', 'parcels', 'redis');
    expect(routes.forwards).toBe(true);
    expect(routes.forwarded('mails', 'database')).toBe('letters');
    expect(routes.forwarded('mails', 'redis')).toBe('parcels');
    expect(routes.forwarded('other', 'redis')).toBe('other');
    expect(routes.resolve({ queue: 'mails' }, defaults)).toEqual({
      connection: 'redis',
      queue: 'parcels',
      requestedQueue: 'mails',
    });
    expect(routes.resolve({ queue: 'mails', connection: 'database' }, defaults)).toMatchObject({
      connection: 'database',
      queue: 'letters',
    });
    routes.forward('own-of-database', 'elsewhere');
    expect(routes.resolve({}, defaults)).toEqual({ connection: 'database', queue: 'elsewhere', requestedQueue: null });
  });

  it('follows chains, so that asking twice changes nothing, and refuses circles', () => {
    const routes = new QueueRoutes();
    routes.forward('a', 'b');
    routes.forward('b', 'c');
    expect(routes.forwarded('a', 'x')).toBe('c');
    expect(routes.forwarded(routes.forwarded('a', 'x'), 'x')).toBe('c');
    expect(() => routes.forward('c', 'a')).toThrow(InvalidOptionError);
    expect(() => routes.forward('c', 'a', 'redis')).toThrow(/lead back/);
    expect(routes.forwarded('a', 'redis')).toBe('c');
    routes.forward('mails', 'mails', 'redis');
    expect(routes.resolve({ queue: 'mails' }, defaults)).toMatchObject({ connection: 'redis', queue: 'mails' });
  });

  it('refuses names that are none', () => {
    const routes = new QueueRoutes();
    expect(() => routes.route(Invoice, { queue: '' })).toThrow(InvalidQueueNameError);
    expect(() => routes.forward('a', 'b c')).toThrow(InvalidQueueNameError);
    expect(() => routes.resolve({ queue: 'ä' }, defaults)).toThrow(InvalidQueueNameError);
  });
});

describe('queue names', () => {
  it.each(['default', 'a', 'A-z_0.9', 'tenant:1/mails', '{default}', 'x'.repeat(128)])('takes %s', (name) => {
    expect(() => assertQueueName(name)).not.toThrow();
  });

  it.each(['', ' ', 'a b', 'ä', 'a\n', 'x'.repeat(129), null, 7, "a'; --"])('refuses %p', (name) => {
    expect(() => assertQueueName(name)).toThrow(InvalidQueueNameError);
    expect(new InvalidQueueNameError(name).code).toBe('ERR_QUEUE_INVALID_QUEUE_NAME');
  });

  it('reads lists as people write them', () => {
    expect(queueNames(' high, low,,high ,')).toEqual(['high', 'low']);
    expect(queueNames(['a,b', ' a '])).toEqual(['a', 'b']);
    expect(queueNames('')).toEqual([]);
    expect(() => queueNames('a b')).toThrow(InvalidQueueNameError);
  });

  it('reads a queue on a connection', () => {
    expect(parseQueueTarget('mails', 'database')).toEqual({ connection: 'database', queue: 'mails' });
    expect(parseQueueTarget('redis:mails', 'database')).toEqual({ connection: 'redis', queue: 'mails' });
    expect(parseQueueTarget('redis:a:b', 'database')).toEqual({ connection: 'redis', queue: 'a:b' });
    expect(parseQueueTarget('redis:', 'database')).toEqual({ connection: 'redis', queue: 'default' });
  });
});
