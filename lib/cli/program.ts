import { readFileSync } from 'node:fs';
import { Command, CommanderError, Help, type Option } from 'commander';
import type { GlobalOptions, QueueCommand } from './command.js';
import { CommandError } from './command-error.js';
import { commands } from './commands/all-commands.js';
import { locateApp, type AppModule } from './find-app.js';
import { openApp, type OpenApp } from './open-app.js';
import { Output } from './output.js';
import { entryFile } from './self-process.js';
import type { LogOptions } from './stderr-logger.js';

export interface ProgramOptions {
  /** What the program is called in its help. */
  readonly name: string;
  /** Where the application comes from; called when a command needs it. */
  readonly module: (app: string | undefined) => Promise<AppModule> | AppModule;
  /** Offers `--app`. */
  readonly findsApp?: boolean;
  /** The program is this one command. */
  readonly only?: QueueCommand;
  /** Boots the application; a test may have its own. */
  readonly open?: typeof openApp;
  readonly output?: Output;
}

type Run = (command: QueueCommand, parsed: Command) => Promise<void>;

/** An application that has not booted by then is not waited for any longer when its command has ended. */
const LONGEST_BOOT_AFTER_END_MS = 300;

/** Parses the arguments and runs the command they name. Resolves with the exit code; never rejects and never ends the process. */
export async function runProgram(args: readonly string[], options: ProgramOptions): Promise<number> {
  let output = options.output ?? new Output({ verbose: args.includes('-v') || args.includes('--verbose') });
  let code = 0;
  const program = build(options, async (command, parsed) => {
    output = options.output ?? new Output(parsed.optsWithGlobals<GlobalOptions>());
    code = await runCommand(command, parsed, options, output);
  });
  try {
    if (args.length === 0 && !options.only) program.help();
    await program.parseAsync(args, { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0;
    output.error(error instanceof CommanderError ? usageError(error, options, args) : error);
    return 1;
  }
}

async function runCommand(
  command: QueueCommand,
  parsed: Command,
  options: ProgramOptions,
  output: Output,
): Promise<number> {
  const given = parsed.optsWithGlobals<GlobalOptions & Pick<LogOptions, 'banner'>>();
  let opening: Promise<OpenApp> | undefined;
  const log = { ...output.options, runsJobs: command.runsJobs, banner: given.banner };
  const open = async (): Promise<OpenApp> => (options.open ?? openApp)(await options.module(given.app), log);
  try {
    const code = await command.run({
      args: parsed.processedArgs,
      options: given,
      output,
      open: () => (opening ??= open()),
      appFile: () => (options.findsApp ? locateApp(given.app, process.cwd()).file : entryFile()),
    });
    return code ?? 0;
  } finally {
    await closed(opening);
  }
}

async function closed(opening: Promise<OpenApp> | undefined): Promise<void> {
  if (!opening) return;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => (timer = setTimeout(resolve, LONGEST_BOOT_AFTER_END_MS, undefined)));
  const app = await Promise.race([opening.catch(() => undefined), late]);
  clearTimeout(timer);
  await app?.close();
}

function build(options: ProgramOptions, run: Run): Command {
  const program = new Command(options.name)
    .version(version(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show this help')
    .helpCommand(false)
    .configureHelp({ showGlobalOptions: true, optionDescription })
    .configureOutput({ outputError: () => undefined })
    .exitOverride()
    .option('--json', 'print JSON')
    .option('-q, --quiet', 'print nothing but errors and what was asked for: no banner, no line for each job')
    .option('-v, --verbose', "print more: Nest's own log, and the stack of an error");
  if (options.findsApp) {
    program.option('--app <file>', 'the built file of the application module; file#Export where it has several');
  }
  if (options.only) return describe(program, options.only, options.name, run);
  program.description('Works, and looks after, the queues of a Nest application.');
  for (const one of commands) describe(program.command(one.name), one, `${options.name} ${one.name}`, run);
  return program;
}

/** Without what an option that may go without a value stands for then: its description says that in words. */
function optionDescription(option: Option): string {
  return new Help().optionDescription(option).replace(' (preset: "")', '');
}

function describe(command: Command, one: QueueCommand, call: string, run: Run): Command {
  command.description(one.summary).allowExcessArguments(false);
  if (one.alias) command.alias(one.alias);
  one.configure?.(command);
  const examples = one.examples.map((example) => `  $ ${call} ${example}`.trimEnd());
  command.addHelpText('after', `\nExamples:\n${examples.join('\n')}`);
  return command.action(() => run(one, command));
}

/** Commander's complaint as two lines: what is wrong, and what to do. */
function usageError(error: CommanderError, options: ProgramOptions, args: readonly string[]): CommandError {
  const text = error.message.replace(/^error: /, '');
  const suggestion = /\(Did you mean (.+?)\?\)/s.exec(text)?.[1];
  const [first = text] = text.split('\n', 1);
  const [, message = first, advice] = /^(.*? is invalid\.) (.+)$/.exec(first) ?? [];
  const named = options.only ? undefined : commands.find((command) => args.includes(command.name));
  const help = `${options.name}${named ? ` ${named.name}` : ''} --help`;
  const hint = advice ?? (suggestion ? `Did you mean ${suggestion}? See ${help}` : `See ${help}`);
  return new CommandError(`${message.charAt(0).toUpperCase()}${message.slice(1)}`, hint, { cause: error });
}

function version(): string {
  const file = new URL('../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}
