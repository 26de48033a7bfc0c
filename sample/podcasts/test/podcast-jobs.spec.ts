import './own-data.js';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Test, type TestingModule } from '@nestjs/testing';
import { writeFileSync } from 'node:fs';
import { fakeQueue, QueueFake, runJob } from 'nestjs-queue/testing';
import 'nestjs-queue/testing/jest';
import { AppModule } from '../src/app.module.js';
import { AudioMissingError } from '../src/audio/audio-processor.js';
import { makeTone } from '../src/audio/tone.js';
import { encodeWav } from '../src/audio/wav.js';
import { ProcessPodcast } from '../src/jobs/process-podcast.job.js';
import { PublishPodcast } from '../src/jobs/publish-podcast.job.js';
import { PodcastLibrary } from '../src/podcasts/podcast-library.js';
import { filesOf, Podcast } from '../src/podcasts/podcast.entity.js';
import { PodcastsController } from '../src/podcasts/podcasts.controller.js';

describe('the jobs of a podcast, one attempt each', () => {
  let app: TestingModule;
  let queue: QueueFake;
  let podcast: Podcast;

  beforeAll(async () => {
    app = await fakeQueue(Test.createTestingModule({ imports: [AppModule] })).compile();
    app.useLogger(false);
    queue = app.get(QueueFake);
    const { id } = await app.get(PodcastsController).create({ title: 'Late upload' });
    podcast = await app.get(PodcastsController).find(id);
  });
  afterAll(() => app.close());

  const now = () => app.get(PodcastsController).find(podcast.id);

  it('is tried again while the sound is missing', async () => {
    const { outcome, delay, error } = await runJob(app, new ProcessPodcast(podcast));
    expect([outcome, delay]).toEqual(['retry', 1]);
    expect(error).toBeInstanceOf(AudioMissingError);
    expect(await runJob(app, new ProcessPodcast(podcast), { attempts: 2 })).toMatchObject({
      outcome: 'retry',
      delay: 2,
    });
    expect(await now()).toMatchObject({ status: 'waiting', problem: null });
  });

  it('writes down why the last try failed', async () => {
    expect(await runJob(app, new ProcessPodcast(podcast), { attempts: 3 })).toMatchObject({ outcome: 'failed' });
    expect(await now()).toMatchObject({ status: 'failed', problem: '1.wav has not been uploaded yet' });
    expect(queue).not.toHavePushed(PublishPodcast);
  });

  it('measures the sound, and has the podcast published later', async () => {
    writeFileSync(filesOf(podcast).source, encodeWav(makeTone({ seconds: 0.5 })));
    expect(await runJob(app, new ProcessPodcast(podcast))).toEqual({ outcome: 'done' });
    expect(await now()).toMatchObject({ status: 'processed', problem: null, report: { seconds: 0.5 } });
    expect(queue).toHavePushed(PublishPodcast, { times: 1, where: (job) => job.podcast.id === podcast.id });
  });

  it('publishes by the library alone', async () => {
    const job = new PublishPodcast(podcast).withFakeQueueInteractions();
    await job.handle(app.get(PodcastLibrary));
    job.assertNotFailed().assertNotReleased();
    expect(await now()).toMatchObject({ status: 'published' });
    expect(job.tags()).toEqual([`podcast:${podcast.id}`]);
  });
});
