import { Inject } from '@nestjs/common';
import { Job, Queueable, Tries } from 'nestjs-queue';
import { PodcastLibrary } from '../podcasts/podcast-library.js';
import { Podcast } from '../podcasts/podcast.entity.js';

/** Sent with a delay, so that there is time to listen before it is public. */
@Job()
@Tries(5)
export class PublishPodcast extends Queueable {
  constructor(readonly podcast: Podcast) {
    super();
  }

  tags(): string[] {
    return [`podcast:${this.podcast.id}`];
  }

  async handle(@Inject() library: PodcastLibrary): Promise<void> {
    await library.publish(this.podcast);
  }
}
