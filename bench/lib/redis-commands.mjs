import { parseInfo, withRedis } from './redis.mjs';

/** Scripts cannot call these, so they are always a client's own. */
const SCRIPT_CALLS = /^(eval|evalsha|fcall)(_ro)?$/;

/** How often the server has run each command so far, with its CPU time: `{ calls: Map, cpuMicros }`. */
export async function serverWork(url) {
  return withRedis(url, async (client) => {
    const stats = parseInfo(await client.info('commandstats'));
    const cpu = parseInfo(await client.info('cpu'));
    const calls = new Map();
    for (const [key, value] of Object.entries(stats)) {
      // Subcommands have a line each: cmdstat_client|setname
      const name = key.replace('cmdstat_', '').split('|')[0];
      // The harness's own question.
      if (name === 'info') continue;
      calls.set(name, (calls.get(name) ?? 0) + Number(/calls=(\d+)/.exec(value)[1]));
    }
    return { calls, cpuMicros: (Number(cpu.used_cpu_user) + Number(cpu.used_cpu_sys)) * 1e6 };
  });
}

/** What the server has done between two looks at it. */
export function workBetween(before, after) {
  const calls = new Map([...after.calls].map(([name, count]) => [name, count - (before.calls.get(name) ?? 0)]));
  return { calls, cpuMicros: after.cpuMicros - before.cpuMicros };
}

/**
 * The server counts a script's commands and a client's together. Watches it with MONITOR, which tells them apart, while `work` runs.
 *
 * @returns a function that gives the share of a command's calls that clients sent themselves
 */
export async function watchOrigins(url, work) {
  return withRedis(url, async (client) => {
    const own = new Map();
    const all = new Map();
    const monitor = await client.monitor();
    monitor.on('monitor', (time, [command], source) => {
      const name = command.toLowerCase();
      all.set(name, (all.get(name) ?? 0) + 1);
      if (source !== 'lua') own.set(name, (own.get(name) ?? 0) + 1);
    });
    await work();
    monitor.disconnect();
    return (name) => (SCRIPT_CALLS.test(name) || !all.has(name) ? 1 : (own.get(name) ?? 0) / all.get(name));
  });
}

/** Splits calls into `trips`, what clients sent, and `inner`, what their scripts ran. */
export function splitCalls(calls, shareOfClients) {
  let trips = 0;
  let inner = 0;
  for (const [name, count] of calls) {
    const share = shareOfClients(name);
    trips += count * share;
    inner += count * (1 - share);
  }
  return { trips, inner };
}
