import type { AppModule } from './find-app.js';

/**
 * The commands of `nestjs-queue` for one application: `src/queue.ts` is `await runQueueCli(AppModule)`, and `nest start --entryFile
 * queue -- queue:failed` calls it. Ends the process: 0 is done, 1 is refused or failed, 12 is a worker that grew too large.
 *
 * @param args without node and script; default: those of the process
 */
export async function runQueueCli(module: AppModule, args: readonly string[] = process.argv.slice(2)): Promise<void> {
  // Not before it is called: the library's entry point exports this to processes that never parse a command line.
  const [{ runProgram }, { ownArguments }] = await Promise.all([import('./program.js'), import('./self-process.js')]);
  const given = ownArguments(args).map(unquoted);
  await endProcess(await runProgram(given, { name: 'nestjs-queue', module: () => module }));
}

/** Ends the process when what was printed has been taken. A handler that was left behind cannot hold it up. */
export async function endProcess(code: number): Promise<void> {
  process.exitCode = code;
  await Promise.race([
    Promise.all([process.stdout, process.stderr].map((stream) => new Promise((done) => stream.write('', done)))),
    new Promise((resolve) => setTimeout(resolve, 1_000)),
  ]);
  process.exit(code);
}

/** `nest start --no-shell` hands on what stands behind `--` as JSON strings. */
export function unquoted(argument: string): string {
  if (!/^".*"$/s.test(argument)) return argument;
  try {
    return JSON.parse(argument) as string;
  } catch {
    return argument;
  }
}
