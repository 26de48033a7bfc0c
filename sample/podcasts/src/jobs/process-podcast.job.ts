import { Inject } from '@nestjs/common';
import { Backoff, Job, Queueable, QueueBus, Timeout, Tries } from 'nestjs-queue';
import { AudioProcessor } from '../audio/audio-processor.js';
import { PodcastLibrary } from '../podcasts/podcast-library.js';
import { filesOf, Podcast } from '../podcasts/podcast.entity.js';
import { PublishPodcast } from './publish-podcast.job.js';

/** Measures an uploaded podcast, draws its waveform, levels it, and has it published a little later. */
@Job()
@Tries(3)
@Backoff(1, 2)
@Timeout(30)
export class ProcessPodcast extends Queueable {
  @Inject() private readonly library!: PodcastLibrary;

  /** Only the podcast's id travels; the worker reads it anew. */
  constructor(readonly podcast: Podcast) {
    super();
  }

  tags(): string[] {
    return [`podcast:${this.podcast.id}`];
  }

  async handle(@Inject() audio: AudioProcessor, bus: QueueBus): Promise<void> {
    const report = await audio.process(filesOf(this.podcast), this.signal);
    await this.library.processed(this.podcast, report);
    await bus.dispatch(new PublishPodcast(this.podcast)).delay('2s');
  }

  /** After the last try. */
  async failed(error: Error | null): Promise<void> {
    await this.library.failed(this.podcast, error?.message ?? 'unknown');
  }
}
