import {
  BadRequestException,
  Body,
  Controller,
  Get,
  NotFoundException,
  Param,
  ParseIntPipe,
  Post,
  Put,
  Req,
  StreamableFile,
} from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { createReadStream, createWriteStream, existsSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { QueueBus } from 'nestjs-queue';
import { DataSource } from 'typeorm';
import { makeTone, type Tone } from '../audio/tone.js';
import { encodeWav } from '../audio/wav.js';
import { ProcessPodcast } from '../jobs/process-podcast.job.js';
import { filesOf, Podcast } from './podcast.entity.js';

@Controller('podcasts')
export class PodcastsController {
  constructor(
    private readonly bus: QueueBus,
    @InjectDataSource() private readonly dataSource: DataSource,
  ) {}

  /** Stores a podcast and has it processed. With `tone` its sound is made here, else it is uploaded to `:id/audio`. */
  @Post()
  async create(@Body() body: { title?: unknown; tone?: Tone }) {
    const { title } = body;
    if (typeof title !== 'string' || title === '') throw new BadRequestException('title must be a text');
    const podcast = await this.dataSource.manager.save(this.dataSource.manager.create(Podcast, { title }));
    if (body.tone) await writeFile(filesOf(podcast).source, encodeWav(makeTone(body.tone)));
    const job = await this.bus.dispatch(new ProcessPodcast(podcast));
    return { id: podcast.id, job: job?.id };
  }

  /** Takes the sound as the body of the request, as it is. */
  @Put(':id/audio')
  async upload(@Param('id', ParseIntPipe) id: number, @Req() request: IncomingMessage) {
    const { source } = filesOf(await this.find(id));
    await pipeline(request, createWriteStream(`${source}.upload`));
    await rename(`${source}.upload`, source);
    return { stored: true };
  }

  @Get(':id/audio')
  async audio(@Param('id', ParseIntPipe) id: number): Promise<StreamableFile> {
    const { source } = filesOf(await this.find(id));
    if (!existsSync(source)) throw new NotFoundException(`The audio of podcast ${id} has not been uploaded yet`);
    return new StreamableFile(createReadStream(source), { type: 'audio/wav' });
  }

  @Get()
  list(): Promise<Podcast[]> {
    return this.dataSource.manager.find(Podcast, { order: { id: 'ASC' } });
  }

  @Get(':id')
  async find(@Param('id', ParseIntPipe) id: number): Promise<Podcast> {
    const podcast = await this.dataSource.manager.findOneBy(Podcast, { id });
    if (!podcast) throw new NotFoundException(`There is no podcast ${id}`);
    return podcast;
  }
}
