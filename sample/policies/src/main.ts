import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module.js';
import { Journal } from './journal.js';
import { ChainScene } from './policies/chain.js';
import { DebounceScene } from './policies/debounce.js';
import { OverlapScene } from './policies/overlap.js';
import { PaymentsScene } from './policies/payments.js';
import { RateLimitScene } from './policies/rate-limit.js';
import { TransactionsScene } from './policies/transactions.js';
import { UniqueScene } from './policies/unique.js';
import type { Row, Scene } from './scene.js';

const SCENES = [RateLimitScene, OverlapScene, UniqueScene, DebounceScene, TransactionsScene, PaymentsScene, ChainScene];

const app = await NestFactory.createApplicationContext(AppModule, { logger: ['error', 'warn'] });
const opened = Date.now();
// To run.mjs, which starts the workers now.
process.send?.('open');
await app.get(Journal).until(2, 'worker starts');

const rows: Row[] = [];
for (const type of SCENES) {
  const scene = app.get<Scene>(type);
  console.log(`\n== ${scene.title}`);
  rows.push(...(await scene.play()));
}

console.log('\n== Policies');
for (const { policy, promise, came, kept } of rows) {
  console.log(`  ${kept ? 'kept  ' : 'BROKEN'}  ${policy}: ${promise}\n${' '.repeat(10)}${came}`);
}
const kept = rows.filter((row) => row.kept).length;
console.log(`\n${rows.length} policies, ${kept} kept. ${((Date.now() - opened) / 1_000).toFixed(1)} s in all.`);
process.exitCode = kept === rows.length ? 0 : 1;
await app.close();
