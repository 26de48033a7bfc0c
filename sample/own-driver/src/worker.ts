import 'reflect-metadata';
import { runWorker } from 'nestjs-queue';
import { AppModule } from './app.module.js';

await runWorker(AppModule);
