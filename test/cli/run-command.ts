import type { OpenApp } from '../../lib/cli/open-app.js';
import { runProgram } from '../../lib/cli/program.js';
import { QueueMetrics } from '../../lib/metrics/queue-metrics.js';
import { QueueHealth } from '../../lib/nest/queue-health.js';
import { QUEUE_RUNTIME } from '../../lib/nest/tokens.js';
import type { QueueRuntime } from '../../lib/nest/wiring.js';
import type { Opened } from '../flows/open-app.js';
import { Recorder } from './recorder.js';

/** Runs a command on an application that is open already, one that needs no more of it than this. Arguments are separated by spaces. */
export async function runCommand(at: Opened, args: string, terminal: { isTTY?: boolean; columns?: number } = {}) {
  const runtime = at.app.get<QueueRuntime>(QUEUE_RUNTIME);
  const { connections, batches } = runtime;
  const health = {
    health: at.app.get(QueueHealth),
    vitals: () => runtime.workers.vitals(),
    metrics: () => QueueMetrics.open(runtime),
  };
  const { manager, failed, workers: worker } = at;
  const app = { connections, batches, manager, failed, worker, health, close: async () => {} } as unknown as OpenApp;
  const recorder = new Recorder(terminal);
  const list = args.split(' ').filter((one) => one !== '');
  const output = recorder.output({ json: list.includes('--json'), quiet: list.includes('-q') });
  const open = async (): Promise<OpenApp> => app;
  const code = await runProgram(list, { name: 'nestjs-queue', module: () => class {}, open, output });
  return { code, out: recorder.out, err: recorder.err };
}
