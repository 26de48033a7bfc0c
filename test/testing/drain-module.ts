import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LoggerService, Provider } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { QueueBus, QueueModule, type QueueModuleOptions } from 'nestjs-queue';
import { QUEUE_RUNTIME } from '../../lib/nest/tokens.js';
import type { QueueRuntime } from '../../lib/nest/wiring.js';

export const STORES = ['memory', 'sqlite'] as const;
export type StoreName = (typeof STORES)[number];

const silent: LoggerService = { log() {}, error() {}, warn() {}, debug() {}, verbose() {}, fatal() {} };
const made: { moduleRef: TestingModule; dir: string }[] = [];

export interface Made {
  readonly moduleRef: TestingModule;
  readonly bus: QueueBus;
}

/** A module as a test of an application compiles it: nobody has called `init()`. */
export async function moduleOn(
  store: StoreName,
  providers: Provider[],
  options: Partial<QueueModuleOptions> = {},
): Promise<Made> {
  const dir = mkdtempSync(join(tmpdir(), 'queue-drain-'));
  const dataSource = { type: 'better-sqlite3', database: join(dir, 'queue.sqlite') };
  const moduleRef = await Test.createTestingModule({
    imports: [
      QueueModule.forRoot({
        default: store,
        ...options,
        connections: { sqlite: { driver: 'database', dataSource } as never, ...options.connections },
      }),
    ],
    providers,
  })
    .setLogger(silent)
    .compile();
  made.push({ moduleRef, dir });
  return { moduleRef, bus: moduleRef.get(QueueBus) };
}

export function runtime(moduleRef: TestingModule): QueueRuntime {
  return moduleRef.get<QueueRuntime>(QUEUE_RUNTIME, { strict: false });
}

export async function closeModules(): Promise<void> {
  for (const { moduleRef, dir } of made.splice(0)) {
    await moduleRef.close();
    rmSync(dir, { recursive: true, force: true });
  }
}
