import { Module } from '@nestjs/common';
import { QueueModule, type BackendContext, type Duration } from 'nestjs-queue';
import { FileDriver, type FileDriverOptions } from './file-driver/file-driver.js';
import { SendPostcard } from './jobs/send-postcard.job.js';
import { PostOffice } from './post-office.js';
import { settings } from './settings.js';

declare module 'nestjs-queue' {
  interface OwnConnections {
    files: FileDriverOptions & { queue?: string; retryAfter?: Duration };
  }
}

@Module({
  imports: [
    QueueModule.forRoot({
      default: 'files',
      connections: {
        files: { driver: 'files', path: settings.queue, retryAfter: '3s' },
        // This driver keeps jobs and nothing else. Pauses and locks have no other place here than this process.
        marks: { driver: 'memory' },
      },
      drivers: { files: (options: FileDriverOptions, context: BackendContext) => new FileDriver(options, context) },
      failed: { driver: 'memory', connection: 'marks' },
      batching: { driver: 'memory', connection: 'marks' },
      locks: { connection: 'marks' },
    }),
  ],
  providers: [PostOffice, SendPostcard],
})
export class AppModule {}
