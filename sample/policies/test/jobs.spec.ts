import './own-data.js';
import { describe, expect, it } from '@jest/globals';
import { PostTickets, TellTheManager } from '../src/policies/chain.js';
import { ChargeCard } from '../src/policies/payments.js';
import { RefreshPrices } from '../src/policies/unique.js';
import type { Journal } from '../src/journal.js';
import type { PaymentGateway } from '../src/payment-gateway.js';
import { Told } from './told.js';

/** Without a module: the job, and what it is given. */
describe('the jobs by themselves', () => {
  const told = new Told();
  const journal = told as unknown as Journal;

  it('tell what they did, and leave the queue alone', () => {
    const post = new PostTickets('Ada').withFakeQueueInteractions();
    post.handle(journal);
    post.assertNotReleased().assertNotFailed().assertNotDeleted();
    new RefreshPrices().withFakeQueueInteractions().handle(journal);
    expect(told.lines).toEqual(['tickets: posted to Ada', 'prices: refreshed']);
  });

  it('let a refusal of the gateway through to their middleware', () => {
    const gateway = {
      charge() {
        throw new Error('The payment gateway answered 503');
      },
    } as unknown as PaymentGateway;
    const job = new ChargeCard(101, '4111').withFakeQueueInteractions();
    expect(() => job.handle(gateway)).toThrow('503');
    job.assertNotFailed();
  });

  it('have nothing behind them that nobody put there', () => {
    new TellTheManager().assertDoesntHaveChain();
    new PostTickets('Ada').chain([new TellTheManager()]).assertHasChain([TellTheManager]);
  });
});
