import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { QueueBus, QueueManager } from 'nestjs-queue';
import { setTimeout as sleep } from 'node:timers/promises';
import { AppModule } from './app.module.js';
import { SendPostcard } from './jobs/send-postcard.job.js';

const CITIES = ['Porto', 'Split', 'Lviv', 'Cork', 'Ghent', 'Bergen', 'Turku', 'Graz', 'Arles', 'Lund'];

const app = await NestFactory.createApplicationContext(AppModule, { logger: ['error', 'warn'] });
const bus = app.get(QueueBus);
await bus.bulk(CITIES.map((city) => new SendPostcard(city, `greetings to ${city}`)));
await bus.dispatch(new SendPostcard('Home', 'I am back')).delay('1s');

const queue = app.get(QueueManager).connection();
const deadline = Date.now() + 20_000;
let told = '';
for (;;) {
  const { pending, delayed, reserved, total } = await queue.size();
  const sizes = `pending ${pending}, delayed ${delayed}, reserved ${reserved}`;
  if (sizes !== told) console.log(`     web   ${(told = sizes)}`);
  if (total === 0) break;
  if (Date.now() > deadline) throw new Error(`waited 20 s, and ${total} jobs are left`);
  await sleep(100);
}
await app.close();
