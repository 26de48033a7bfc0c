import { Command } from 'commander';
import { describe, expect, it } from '@jest/globals';
import { work } from '../../lib/cli/commands/work.js';
import { flagArguments, globalArguments } from '../../lib/cli/flag-arguments.js';

function parsed(args: readonly string[]): { command: Command; values: object } {
  const command = new Command().exitOverride();
  work.configure!(command);
  command.parse(args, { from: 'user' });
  return { command, values: command.opts() };
}

describe('flags as arguments again', () => {
  it.each([
    [[]],
    [['--queue=high,low', '--tries=0', '--timeout=90s', '--backoff=1,2.5,5m', '--force', '--no-watchdog']],
    [['--name=a "b" $c', '--max-time=1h', '--sleep=0', '--stop-when-empty', '--grace=500ms', '--no-banner']],
  ])('mean the same: %j', (args) => {
    const { command, values } = parsed(args);
    const again = flagArguments(command.options, values);
    expect(again.toSorted()).toEqual(args.toSorted());
    expect(parsed(again).values).toEqual(values);
  });

  it('of every command', () => {
    expect(globalArguments({ app: 'dist/a b.js', json: true, quiet: true, verbose: true })).toEqual([
      '--app=dist/a b.js',
      '--json',
      '--quiet',
      '--verbose',
    ]);
    expect(globalArguments({})).toEqual([]);
  });
});
