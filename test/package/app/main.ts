import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { FailedJobs, WorkerService } from 'nestjs-queue';
import { AppModule, Notes } from './app.module.js';

// Serves one request that dispatches two jobs, works them, and prints what came of it as one line of JSON.
async function main(): Promise<void> {
  const app = await NestFactory.create(AppModule, { logger: ['error', 'warn'] });
  await app.listen(0, '127.0.0.1');
  const response = await fetch(`${await app.getUrl()}/notes`, { method: 'POST' });
  const { id } = (await response.json()) as { id: string };
  const reason = await app.get(WorkerService).work({ stopWhenEmpty: true });
  const failed = await app.get(FailedJobs).all();
  console.log(
    JSON.stringify({
      status: response.status,
      id,
      reason,
      written: app.get(Notes).written,
      failed: failed.map(({ name }) => name),
    }),
  );
  await app.close();
}

void main();
