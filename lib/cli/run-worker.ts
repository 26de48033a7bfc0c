import type { AppModule } from './find-app.js';
import { endProcess, unquoted } from './queue-cli.js';

/**
 * A worker process of one application, with the arguments of `queue:work`: `src/worker.ts` is `await runWorker(AppModule)`, and
 * `nest start --entryFile worker -- database --queue=high,default --tries=3` starts it. Boots the application without HTTP, stops on
 * SIGTERM, SIGINT and SIGQUIT after its jobs, and ends the process: 0 is done, 1 is an error or a job that could not be stopped, 12
 * is `--memory`.
 *
 * @param args without node and script; default: those of the process
 */
export async function runWorker(module: AppModule, args: readonly string[] = process.argv.slice(2)): Promise<void> {
  const [{ runProgram }, { ownArguments }, { work }] = await Promise.all([
    import('./program.js'),
    import('./self-process.js'),
    import('./commands/work.js'),
  ]);
  const given = ownArguments(args).map(unquoted);
  if (given[0] === work.name) given.shift();
  await endProcess(await runProgram(given, { name: 'worker', module: () => module, only: work }));
}
