import { QueueError } from '../support/queue-error.js';

/** The store behind a connection cannot do what was asked, e.g. `AbilityMissingError('beanstalkd', 'clearing')`. */
export class AbilityMissingError extends QueueError {
  constructor(
    readonly driver: string,
    readonly ability: string,
    advice = 'Name a connection whose store has one, such as database or memory.',
  ) {
    super(
      'ERR_QUEUE_ABILITY_MISSING',
      `The ${driver} driver has no ${ability}: its store offers no way to do it. ${advice}`,
    );
  }
}
