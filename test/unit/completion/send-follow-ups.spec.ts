import { describe, expect, it } from '@jest/globals';
import type { FollowUp } from '../../../lib/completion/place-follow-up.js';
import { sendFollowUps } from '../../../lib/completion/send-follow-ups.js';
import type { PushEntry, PushResult, ReservedJob, SettleResult } from '../../../lib/contracts/queue-driver.js';

const reserved = { id: 'parent', token: 't' } as ReservedJob;

class Harness {
  readonly log: string[] = [];
  readonly entries: PushEntry[] = [];
  answer: PushResult = { stored: true };
  held: SettleResult = { ok: true };
  storeless = false;

  job(connection: string, id: string): FollowUp {
    return {
      envelope: {} as never,
      outgoing: { job: {}, entry: { id, queue: 'q', body: '', delayMs: 0 }, requestedQueue: null, delaySeconds: null },
      connection: {
        name: connection,
        queue: () => Promise.resolve(this.storeless ? { storeless: true } : {}),
        push: ([outgoing]: [{ entry: PushEntry }]) => {
          this.log.push(`push ${outgoing.entry.id} to ${connection}`);
          this.entries.push(outgoing.entry);
          if (this.storeless) return Promise.reject(new Error('the job threw'));
          return Promise.resolve([this.answer]);
        },
      } as never,
    };
  }

  from(withSettlement = true) {
    const renew = (): Promise<SettleResult[]> => {
      this.log.push('renew');
      return Promise.resolve([this.held]);
    };
    return { connection: 'own', withSettlement, leases: { renew }, leaseMs: 30_000 };
  }
}

describe('sendFollowUps', () => {
  it('leaves those of the own connection to the settlement, and asks nobody then', async () => {
    const at = new Harness();
    const jobs = [at.job('own', 'a'), at.job('own', 'b')];
    expect(await sendFollowUps(jobs, reserved, at.from())).toEqual(jobs);
    expect(at.log).toEqual([]);
  });

  it('renews the lease once before it sends others, each under an id that is remembered', async () => {
    const at = new Harness();
    const own = at.job('own', 'b');
    const riding = await sendFollowUps([at.job('far', 'a'), own, at.job('farther', 'c')], reserved, at.from());
    expect(riding).toEqual([own]);
    expect(at.log).toEqual(['renew', 'push a to far', 'push c to farther']);
    expect(at.entries.map(({ once }) => once!.ttlMs)).toEqual([86_400_000, 86_400_000]);
  });

  it('sends those of the own connection first too where its store cannot take them with the settlement', async () => {
    const at = new Harness();
    expect(await sendFollowUps([at.job('own', 'a')], reserved, at.from(false))).toEqual([]);
    expect(at.log).toEqual(['renew', 'push a to own']);
  });

  it('sends nothing once the lease is lost, or cannot be looked after', async () => {
    const at = new Harness();
    for (const reason of ['lease-lost', 'cancelled'] as const) {
      at.held = { ok: false, reason };
      expect(await sendFollowUps([at.job('far', 'a')], reserved, at.from())).toBe('lost');
    }
    at.held = { ok: false, reason: 'error', error: new Error('the store is away') };
    await expect(sendFollowUps([at.job('far', 'a')], reserved, at.from())).rejects.toThrow('the store is away');
    expect(at.entries).toEqual([]);
  });

  it('takes one that is there already for sent, and rejects with the error of a store that refuses it', async () => {
    const at = new Harness();
    at.answer = { stored: false, reason: 'exists' };
    expect(await sendFollowUps([at.job('far', 'a')], reserved, at.from())).toEqual([]);
    at.answer = { stored: false, reason: 'error', error: new Error('no room') };
    await expect(sendFollowUps([at.job('far', 'a')], reserved, at.from())).rejects.toThrow('no room');
  });

  it('does not take the error of a step that ran within the push for its own', async () => {
    const at = new Harness();
    at.storeless = true;
    expect(await sendFollowUps([at.job('sync', 'a')], reserved, at.from())).toEqual([]);
    expect(at.log).toEqual(['renew', 'push a to sync']);
  });
});
