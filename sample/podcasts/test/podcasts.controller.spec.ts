import './own-data.js';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { BadRequestException, NotFoundException } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { existsSync } from 'node:fs';
import { fakeQueue, QueueFake } from 'nestjs-queue/testing';
import 'nestjs-queue/testing/jest';
import { AppModule } from '../src/app.module.js';
import { FailedController } from '../src/failed/failed.controller.js';
import { ProcessPodcast } from '../src/jobs/process-podcast.job.js';
import { filesOf } from '../src/podcasts/podcast.entity.js';
import { PodcastsController } from '../src/podcasts/podcasts.controller.js';

describe('PodcastsController', () => {
  let app: TestingModule;
  let podcasts: PodcastsController;
  let queue: QueueFake;

  beforeAll(async () => {
    app = await fakeQueue(Test.createTestingModule({ imports: [AppModule] })).compile();
    podcasts = app.get(PodcastsController);
    queue = app.get(QueueFake);
  });
  beforeEach(() => queue.reset());
  afterAll(() => app.close());

  it('has a new podcast processed, and tells the id of the job', async () => {
    const { id, job } = await podcasts.create({ title: 'Morning tones' });
    expect(job).toMatch(/^[0-9a-f-]{36}$/);
    expect(queue).toHavePushed(ProcessPodcast, { on: 'default', times: 1, where: ({ podcast }) => podcast.id === id });
    await expect(podcasts.find(id)).resolves.toMatchObject({ title: 'Morning tones', status: 'waiting' });
  });

  it('makes the sound before it dispatches', async () => {
    await podcasts.create({ title: 'Short tone', tone: { seconds: 0.5 } });
    const [{ podcast }] = queue.pushed(ProcessPodcast) as [ProcessPodcast];
    expect(existsSync(filesOf(podcast).source)).toBe(true);
  });

  it('dispatches nothing for a podcast without a title', async () => {
    await expect(podcasts.create({ title: '' })).rejects.toThrow(BadRequestException);
    expect(queue).toHaveNothingPushed();
  });

  it('knows of no failed job to retry', async () => {
    await expect(app.get(FailedController).retry('nobody')).rejects.toThrow(NotFoundException);
    expect(queue).toHaveNothingPushed();
  });
});
