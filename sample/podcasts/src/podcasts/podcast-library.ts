import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { Repository } from 'typeorm';
import type { AudioReport } from '../audio/audio-processor.js';
import { settings } from '../settings.js';
import { writeWhole } from '../whole-file.js';
import { filesOf, Podcast } from './podcast.entity.js';

/** What the jobs write about podcasts. */
@Injectable()
export class PodcastLibrary {
  constructor(@InjectRepository(Podcast) private readonly podcasts: Repository<Podcast>) {}

  async processed(podcast: Podcast, report: AudioReport): Promise<void> {
    await this.podcasts.update(podcast.id, { status: 'processed', report, problem: null });
  }

  async failed(podcast: Podcast, problem: string): Promise<void> {
    await this.podcasts.update(podcast.id, { status: 'failed', problem });
  }

  /** Publishes one podcast and writes the feed of all published ones. Twice does no harm. */
  async publish(podcast: Podcast): Promise<void> {
    await this.podcasts.update(podcast.id, { status: 'published' });
    // Others may publish meanwhile, here and in other processes: whoever wrote an older state writes again.
    let written: string;
    do {
      written = await this.feed();
      await writeWhole(settings.feed, written);
    } while (written !== (await this.feed()));
  }

  private async feed(): Promise<string> {
    const published = await this.podcasts.find({ where: { status: 'published' }, order: { id: 'DESC' } });
    const items = published.map((podcast) => {
      const url = escape(filesOf(podcast).normalised);
      return `    <item><title>${escape(podcast.title)}</title><guid>${podcast.id}</guid><enclosure type="audio/wav" url="${url}"/></item>`;
    });
    return [
      '<?xml version="1.0" encoding="UTF-8"?>',
      '<rss version="2.0">',
      '  <channel>',
      '    <title>Podcasts</title>',
      ...items,
      '  </channel>',
      '</rss>',
      '',
    ].join('\n');
  }
}

function escape(text: string): string {
  return text.replace(/[<>&"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
