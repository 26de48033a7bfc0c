import './own-data.js';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Test, type TestingModule } from '@nestjs/testing';
import { readFileSync, writeFileSync } from 'node:fs';
import { drain, FakeClock } from 'nestjs-queue/testing';
import { AppModule } from '../src/app.module.js';
import { makeTone } from '../src/audio/tone.js';
import { encodeWav } from '../src/audio/wav.js';
import { FailedController } from '../src/failed/failed.controller.js';
import { filesOf } from '../src/podcasts/podcast.entity.js';
import { PodcastsController } from '../src/podcasts/podcasts.controller.js';
import { settings } from '../src/settings.js';

describe('a podcast on its way, on SQLite', () => {
  let app: TestingModule;
  const clock = new FakeClock();

  beforeAll(async () => {
    app = await Test.createTestingModule({ imports: [AppModule] }).compile();
    app.useLogger(false);
  });
  afterAll(() => app.close());

  it('is published two seconds after it was processed', async () => {
    await app.get(PodcastsController).create({ title: 'Evening tones', tone: { seconds: 0.5 } });
    const began = clock.now();
    expect(await drain(app, { clock })).toEqual([
      { name: 'ProcessPodcast', attempts: 1, outcome: 'done' },
      { name: 'PublishPodcast', attempts: 1, outcome: 'done' },
    ]);
    expect(clock.now() - began).toBeGreaterThanOrEqual(2_000);
    expect(readFileSync(settings.feed, 'utf8')).toContain('<title>Evening tones</title>');
  });

  it('fails after three tries without its sound, and is retried by hand', async () => {
    const { id } = await app.get(PodcastsController).create({ title: 'Late upload' });
    const tries = await drain(app, { clock });
    expect(tries.map(({ attempts, outcome }) => [attempts, outcome])).toEqual([
      [1, 'retry'],
      [2, 'retry'],
      [3, 'failed'],
    ]);
    const [failed] = await app.get(FailedController).list();
    expect(failed?.reason).toContain('2.wav has not been uploaded yet');

    writeFileSync(filesOf(await app.get(PodcastsController).find(id)).source, encodeWav(makeTone({ seconds: 0.5 })));
    await app.get(FailedController).retry(failed!.id);
    expect(await drain(app, { clock })).toMatchObject([
      { name: 'ProcessPodcast', outcome: 'done' },
      { name: 'PublishPodcast', outcome: 'done' },
    ]);
    expect(await app.get(FailedController).list()).toEqual([]);
  });
});
