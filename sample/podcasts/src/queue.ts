import 'reflect-metadata';
import { runQueueCli } from 'nestjs-queue';
import { AppModule } from './app.module.js';

await runQueueCli(AppModule);
