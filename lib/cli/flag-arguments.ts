import type { Option } from 'commander';
import type { GlobalOptions } from './command.js';

/** Parsed options as arguments again, for a process that is to work with the same ones. What was not given is left out. */
export function flagArguments(options: readonly Option[], values: object): string[] {
  const given = values as Readonly<Record<string, unknown>>;
  return options.flatMap((option) => {
    const flag = option.long!;
    const value = given[option.attributeName()];
    // Commander fills in `true` for a `--no-` flag that was not given.
    if (option.negate) return value === false ? [flag] : [];
    if (value === undefined || value === false) return [];
    if (value === true) return [flag];
    return [`${flag}=${Array.isArray(value) ? value.join(',') : String(value as string | number)}`];
  });
}

/** The options that every command takes, as arguments. */
export function globalArguments({ app, json, quiet, verbose }: GlobalOptions): string[] {
  return [
    ...(app === undefined ? [] : [`--app=${app}`]),
    ...(json ? ['--json'] : []),
    ...(quiet ? ['--quiet'] : []),
    ...(verbose ? ['--verbose'] : []),
  ];
}
