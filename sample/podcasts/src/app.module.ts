import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import libsql from 'libsql';
import { QueueModule } from 'nestjs-queue';
import { AudioProcessor } from './audio/audio-processor.js';
import { FailedController } from './failed/failed.controller.js';
import { JobJournal } from './jobs/job-journal.js';
import { ProcessPodcast } from './jobs/process-podcast.job.js';
import { PublishPodcast } from './jobs/publish-podcast.job.js';
import { PodcastLibrary } from './podcasts/podcast-library.js';
import { Podcast } from './podcasts/podcast.entity.js';
import { PodcastsController } from './podcasts/podcasts.controller.js';
import { settings } from './settings.js';

@Module({
  imports: [
    TypeOrmModule.forRoot({
      type: 'better-sqlite3',
      driver: libsql,
      database: settings.database,
      entities: [Podcast],
      synchronize: true,
      enableWAL: true,
      // Web process and worker write to one file: a write that meets the other's waits for it.
      prepareDatabase: (database: { pragma(text: string): unknown }) => {
        database.pragma('busy_timeout = 5000');
        database.pragma('synchronous = NORMAL');
      },
    }),
    TypeOrmModule.forFeature([Podcast]),
    // Jobs live beside the podcasts, in the same file; or on the Redis of REDIS_URL, where that is set.
    process.env['REDIS_URL']
      ? QueueModule.forRoot({ default: 'redis', connections: { redis: { driver: 'redis', prefix: settings.prefix } } })
      : QueueModule.forRoot({ connections: { database: { driver: 'database', dataSource: 'default' } } }),
  ],
  controllers: [PodcastsController, FailedController],
  providers: [AudioProcessor, PodcastLibrary, JobJournal, ProcessPodcast, PublishPodcast],
})
export class AppModule {}
