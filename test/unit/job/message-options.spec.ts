import { describe, expect, it } from '@jest/globals';
import { Job, Queueable } from 'nestjs-queue';
import { definitionOf } from '../../../lib/job/job-definition.js';
import { messageOptions } from '../../../lib/job/message-options.js';

@Job()
class Plain extends Queueable {
  handle() {}
}

@Job()
class Grouped extends Queueable {
  messageGroup = 'orders';
  deduplicationId(payload: string) {
    return `seen ${payload}`;
  }
  handle() {}
}

const of = (job: Queueable, said: Parameters<typeof messageOptions>[2] = {}) =>
  messageOptions(job, definitionOf(job.constructor), said, '{}');

describe('message options', () => {
  it('are none for a job that says nothing', () => {
    expect(of(new Plain())).toBeUndefined();
  });

  it('come from the class, and from the fluent calls before it', () => {
    expect(of(new Grouped())).toEqual({ group: 'orders', dedupe: 'seen {}' });
    expect(of(new Grouped(), { group: 'mine', deduplicator: () => 'mine' })).toEqual({ group: 'mine', dedupe: 'mine' });
    expect(of(new Plain(), { group: 'mine' })).toEqual({ group: 'mine' });
  });

  it('leave a repeat to the store where nothing is said, and refuse what is no text', () => {
    expect(of(new Plain(), { deduplicator: () => '' })).toBeUndefined();
    expect(() => of(new Plain(), { deduplicator: () => 5 as never })).toThrow('The deduplication id of Plain is 5.');
  });
});
