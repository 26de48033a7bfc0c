import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import libsql from 'libsql';
import { QueueModule } from 'nestjs-queue';
import { ChunkFailed, ImportFinished, ImportSucceeded } from './imports/import-callbacks.js';
import { ImportChunk } from './imports/import-chunk.job.js';
import { ImportNote } from './imports/import-note.entity.js';
import { ImportNotes } from './imports/import-notes.js';
import { ImportsController } from './imports/imports.controller.js';
import { Imports } from './imports/imports.js';
import { BadRow } from './people/bad-row.entity.js';
import { People } from './people/people.js';
import { Person } from './people/person.entity.js';
import { settings } from './settings.js';

@Module({
  imports: [
    TypeOrmModule.forRoot({
      type: 'better-sqlite3',
      driver: libsql,
      database: settings.database,
      entities: [Person, BadRow, ImportNote],
      synchronize: true,
      enableWAL: true,
      // Three processes write to one file: a write that meets another one waits for it.
      prepareDatabase: (database: { pragma(text: string): unknown }) => {
        database.pragma('busy_timeout = 5000');
        database.pragma('synchronous = NORMAL');
      },
    }),
    // Jobs and batches are in the same file; or on the Redis of REDIS_URL, where that is set.
    process.env['REDIS_URL']
      ? QueueModule.forRoot({ default: 'redis', connections: { redis: { driver: 'redis', prefix: settings.prefix } } })
      : QueueModule.forRoot({ connections: { database: { driver: 'database', dataSource: 'default' } } }),
  ],
  controllers: [ImportsController],
  providers: [Imports, ImportNotes, People, ImportChunk, ChunkFailed, ImportSucceeded, ImportFinished],
})
export class AppModule {}
