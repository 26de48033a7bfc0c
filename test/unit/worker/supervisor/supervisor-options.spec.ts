import { describe, expect, it } from '@jest/globals';
import { resolveConnections } from '../../../../lib/connections/connection-config.js';
import { resolveSupervisors, type SupervisorOptions } from '../../../../lib/worker/supervisor/supervisor-options.js';

const config = resolveConnections({
  connections: { work: { driver: 'memory', queue: 'jobs' } },
} as Parameters<typeof resolveConnections>[0]);

function resolve(options: object, cores = 4, name = 'main') {
  return resolveSupervisors({ [name]: options as SupervisorOptions }, config, cores).get(name)!;
}

describe('the options of a supervisor', () => {
  it('have defaults', () => {
    expect(resolve({ connection: 'work' })).toMatchObject({
      name: 'main',
      connection: 'work',
      balance: 'auto',
      strategy: 'time',
      pools: [['jobs']],
      minProcesses: 1,
      maxProcesses: 4,
      maxShift: 1,
      cooldownMs: 3_000,
      worker: { name: 'main', concurrency: 1, graceMs: 25_000, timeoutMs: 60_000, memoryMb: 0 },
    });
    expect(resolve({}).connection).toBe(config.default);
    expect(resolveSupervisors(undefined, config).size).toBe(0);
  });

  it('make a pool of each queue, or one of all', () => {
    const queues = ['high', 'low', 'high'];
    expect(resolve({ queues }).pools).toEqual([['high'], ['low']]);
    expect(resolve({ queues, balance: 'simple' }).pools).toEqual([['high'], ['low']]);
    expect(resolve({ queues, balance: false }).pools).toEqual([['high', 'low']]);
  });

  it('hand on to the workers what is theirs, and nothing else', () => {
    const { worker } = resolve({
      queues: ['a'],
      maxProcesses: 2,
      tries: 3,
      backoff: ['1s', 5],
      memory: 300,
      watchdog: false,
    });
    expect(worker.given).toEqual({
      connection: config.default,
      name: 'main',
      tries: 3,
      backoff: ['1s', 5],
      memory: 300,
      watchdog: false,
    });
  });

  it('have room for what they need at the least', () => {
    expect(resolve({ queues: ['a', 'b', 'c'], minProcesses: 2 }, 1).maxProcesses).toBe(6);
  });

  it.each<[object, string | RegExp]>([
    [{ maxProceses: 3 }, /^supervisors\.main\.maxProceses is not an option\. Known are /],
    [{ max_processes: 3 }, 'supervisors.main.max_processes is not an option. It is written maxProcesses here.'],
    [{ balance: true }, "supervisors.main.balance is true. Give 'auto', 'simple' or false."],
    [{ balance: 'Auto' }, `supervisors.main.balance is "Auto". Give 'auto', 'simple' or false.`],
    [{ strategy: 'speed' }, `supervisors.main.strategy is "speed". Give 'time' or 'size'.`],
    [{ minProcesses: 0 }, 'supervisors.main.minProcesses is 0. Give a whole number from 1 up.'],
    [{ maxProcesses: 2.5 }, 'supervisors.main.maxProcesses is 2.5. Give a whole number from 1 up.'],
    [{ balanceCooldown: '100ms' }, 'supervisors.main.balanceCooldown is "100ms". Give at least 1 s.'],
    [{ queues: [] }, /^supervisors\.main\.queues is Array\. Give a list/],
    [{ queues: ['a b'] }, /^The queue name "a b" cannot be used/],
    [{ connection: 'nowhere' }, /^The \[nowhere\] queue connection has not been configured/],
    [{ tries: -1 }, 'supervisors.main.tries is -1. Give a whole number from 0 up.'],
    [{ grace: 'soon' }, /^supervisors\.main\.grace is "soon"/],
    [{ backoff: [1, 'x'] }, /^supervisors\.main\.backoff is "x"/],
    [{ stopWhenEmpty: true }, /^supervisors\.main\.stopWhenEmpty is not an option/],
    [
      { minProcesses: 3, maxProcesses: 2 },
      'supervisors.main.maxProcesses is 2, and minProcesses is 3. Raise maxProcesses, or lower minProcesses.',
    ],
    [
      { queues: ['a', 'b', 'c'], maxProcesses: 2 },
      "supervisors.main.maxProcesses is 2, and with balance 'auto' its 3 queues have processes of their own, 3 at the least. Raise maxProcesses, or let all processes work all queues: balance: false.",
    ],
  ])('are refused in one line: %j', (options, message) => {
    expect(() => resolve(options)).toThrow(message);
  });

  it('need a name that can be given to a command', () => {
    expect(() => resolve({}, 1, 'my own')).toThrow('supervisors.my own has a name that cannot be.');
  });
});
