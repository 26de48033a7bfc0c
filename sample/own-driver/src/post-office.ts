import { Injectable } from '@nestjs/common';
import { appendFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { settings } from './settings.js';

@Injectable()
export class PostOffice {
  /** @throws at the first try of a postcard to Bergen */
  async print(to: string, text: string, attempt: number): Promise<void> {
    await sleep(20);
    if (to === 'Bergen' && attempt === 1) throw new Error('the printer is out of ink');
    await mkdir(settings.postcards, { recursive: true });
    await appendFile(join(settings.postcards, `${to}.txt`), `${settings.process}: ${text}\n`);
  }
}
