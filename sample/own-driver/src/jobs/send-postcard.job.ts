import { Inject } from '@nestjs/common';
import { Backoff, Job, Queueable, Tries } from 'nestjs-queue';
import { PostOffice } from '../post-office.js';

/** Prints a postcard. Its first try may find the printer out of ink. */
@Job()
@Tries(3)
@Backoff('200ms')
export class SendPostcard extends Queueable {
  constructor(
    readonly to: string,
    readonly text: string,
  ) {
    super();
  }

  async handle(@Inject() office: PostOffice): Promise<void> {
    await office.print(this.to, this.text, this.attempts());
  }
}
