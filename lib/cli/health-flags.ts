import type { Command } from 'commander';
import { CommandError } from './command-error.js';
import { port } from './flags.js';
import type { HealthServer } from './health-server.js';
import type { Output } from './output.js';

/** Where a worker process tells how it is. */
export interface HealthFlags {
  readonly healthPort?: number;
  readonly healthHost?: string;
}

/** Nobody beyond this machine sees it unless that is asked for. */
const DEFAULT_HOST = '127.0.0.1';

export function addHealthFlags(command: Command): void {
  command
    .option(
      '--health-port <port>',
      'tell by HTTP how the worker is: /live, /ready, /metrics; 0 takes a free port (default: off)',
      port,
    )
    .option(
      '--health-host <address>',
      `the address to listen at, 0.0.0.0 for whoever reaches this machine (default: ${DEFAULT_HOST})`,
    );
}

/** Listens, and says where. `undefined` where nobody asked for it. @throws CommandError where the port cannot be had */
export async function startHealth(
  { healthPort, healthHost }: HealthFlags,
  output: Output,
): Promise<HealthServer | undefined> {
  if (healthPort === undefined) {
    if (healthHost === undefined) return undefined;
    throw new CommandError('--health-host names an address, but there is no port.', 'Give it one: --health-port=9090');
  }
  const { HealthServer: Listening } = await import('./health-server.js');
  const server = await Listening.listen(healthPort, healthHost ?? DEFAULT_HOST);
  output.remark(`Health: ${server.url} (/live /ready /metrics)`);
  return server;
}
