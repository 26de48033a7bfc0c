import { parseQueueTarget } from '../../connections/queue-name.js';
import type { MonitoredQueue } from '../../operations/monitor-queues.js';
import { age } from '../age.js';
import { answerWithin } from '../answer-within.js';
import type { QueueCommand } from '../command.js';
import { CommandError } from '../command-error.js';
import { namesOrNone, wholeNumber } from '../flags.js';
import type { OpenApp } from '../open-app.js';
import type { Column } from '../table.js';

interface Options {
  readonly max: number;
  readonly exitCode?: boolean;
}

type Row = MonitoredQueue & { readonly status: 'ok' | 'alert'; readonly paused?: boolean };

export const monitor: QueueCommand<Options> = {
  name: 'queue:monitor',
  summary: 'tell how many jobs queues hold, and raise QueueBusy for those that hold too many',
  examples: ['default', 'redis:high,redis:default --max=100', 'default --json --exit-code'],
  configure(command) {
    command
      .argument('<queues...>', 'connection:queue, also by commas; a bare name is a queue of the default connection')
      .option('--max <n>', 'from so many jobs on a queue is too full', wholeNumber(1), 1_000)
      .option('--exit-code', 'end with 1 where a queue is too full');
  },
  async run({ args, options, output, open }) {
    const named = [...new Set((args[0] as readonly string[]).flatMap(namesOrNone))];
    if (named.length === 0) throw new CommandError('No queue was named.', 'Name queues, such as redis:emails,default');
    const app = await open();
    const connections = new Set(named.map((one) => targetOf(app, one).connection));
    const sizes = await answerWithin(monitored(app, named, options.max), () =>
      Promise.all([...connections].map((name) => app.manager.connection(name).size())),
    );
    const rows = sizes.map((one): Row => ({ ...one, status: one.total >= options.max ? 'alert' : 'ok' }));
    if (output.options.json) output.json(rows.map(shown));
    else output.table(COLUMNS, await withPauses(app, rows));
    return options.exitCode && rows.some(({ status }) => status === 'alert') ? 1 : 0;
  },
};

async function monitored(app: OpenApp, named: readonly string[], max: number): Promise<MonitoredQueue[]> {
  const found = await app.manager.monitor(named, max);
  // `default` and `redis:default` may be one.
  const byName = new Map(found.map((one) => [`${one.connection}\n${one.queue}`, one]));
  return [...byName.values()];
}

/** A queue that is paused does not get shorter: whoever looks at it should know. */
async function withPauses({ manager }: OpenApp, rows: readonly Row[]): Promise<Row[]> {
  return Promise.all(
    rows.map(async (row) => {
      const paused = await answerWithin(manager.pausedQueues(row.connection, [row.queue]));
      return { ...row, paused: paused.length > 0 };
    }),
  );
}

function targetOf({ manager }: OpenApp, text: string) {
  return parseQueueTarget(text, manager.connection().name);
}

/** Every key is there, also of what the store cannot tell. */
function shown({ connection, queue, pending, delayed, reserved, total, oldestPendingAt, status }: Row): object {
  return {
    connection,
    queue,
    pending,
    delayed: delayed ?? null,
    reserved: reserved ?? null,
    total,
    oldestPendingAt: oldestPendingAt ?? null,
    status,
  };
}

const COLUMNS: readonly Column<Row>[] = [
  { title: 'Queue', value: ({ connection, queue }) => `${connection}:${queue}`, atLeast: 16 },
  { title: 'Pending', value: ({ pending }) => String(pending) },
  { title: 'Delayed', value: ({ delayed }) => String(delayed ?? '-') },
  { title: 'Reserved', value: ({ reserved }) => String(reserved ?? '-') },
  { title: 'Total', value: ({ total }) => String(total) },
  {
    title: 'Oldest',
    value: ({ oldestPendingAt: at }) => (at === undefined ? '-' : age(Date.now() - at.getTime())),
    colour: 'gray',
  },
  {
    title: 'Status',
    value: ({ status, paused }) => `${status.toUpperCase()}${paused ? ', paused' : ''}`,
    colour: ({ status }) => (status === 'alert' ? 'red' : 'green'),
  },
];
