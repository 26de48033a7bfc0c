import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module.js';
import { play } from './demo/play.js';
import { settings } from './settings.js';

const app = await NestFactory.create(AppModule, { logger: ['error', 'warn'] });
app.enableShutdownHooks();
await app.listen(process.env['PORT'] ?? 0, '127.0.0.1');
const url = await app.getUrl();
// To run.mjs, which starts the workers now.
process.send?.('listening');

if (process.argv.includes('--demo')) {
  const whole = await play(app, url);
  if (whole && process.argv.includes('--stay')) {
    console.log(
      `\nLeft running: ${url} takes another file, or ${settings.csv} again.\nCtrl-C stops all three processes.`,
    );
  } else {
    process.exitCode = whole ? 0 : 1;
    await app.close();
    process.disconnect?.();
  }
} else {
  console.log(`Listening on ${url}`);
}
