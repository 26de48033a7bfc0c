import { Column, CreateDateColumn, Entity, PrimaryGeneratedColumn } from 'typeorm';
import { join } from 'node:path';
import type { AudioReport } from '../audio/audio-processor.js';
import { settings } from '../settings.js';

export type PodcastStatus = 'waiting' | 'processed' | 'published' | 'failed';

@Entity()
export class Podcast {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column()
  title!: string;

  @Column({ type: 'text', default: 'waiting' })
  status!: PodcastStatus;

  @Column({ type: 'simple-json', nullable: true })
  report!: AudioReport | null;

  /** Why processing failed, until it succeeds. */
  @Column({ type: 'text', nullable: true })
  problem!: string | null;

  @CreateDateColumn()
  createdAt!: Date;
}

/** The files of a podcast. The first is uploaded, the others are made by ProcessPodcast. */
export function filesOf(podcast: Podcast): { source: string; waveform: string; normalised: string } {
  return {
    source: join(settings.media, `${podcast.id}.wav`),
    waveform: join(settings.media, `${podcast.id}.waveform.svg`),
    normalised: join(settings.media, `${podcast.id}.normalised.wav`),
  };
}
