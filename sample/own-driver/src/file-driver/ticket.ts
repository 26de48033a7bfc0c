import { createHash } from 'node:crypto';

/** All that changes about a job. It is the name of the job's file, so one rename changes all of it, or nothing. */
export interface Ticket {
  /** Priority, due time and sequence as text that sorts as jobs are to be taken. */
  readonly order: string;
  readonly availableAt: number;
  /** The digest of the job's id. */
  readonly job: string;
  readonly attempts: number;
  readonly stalls: number;
  /** The file in `memos/` that the last release left. */
  readonly memo?: string;
  /** While somebody has the job. */
  readonly lease?: { readonly until: number; readonly token: string };
}

/** Names of queues and ids may be any text, longer than a file's name or unlike in case alone. */
export function digest(text: string): string {
  return createHash('sha256').update(JSON.stringify(text)).digest('hex').slice(0, 32);
}

export function orderOf(priority: number, availableAt: number, sequence: string): string {
  return [digits(2 ** 31 - 1 - priority, 10), digits(availableAt, 14), sequence].join('.');
}

export function priorityOf({ order }: Ticket): number {
  return 2 ** 31 - 1 - Number(order.slice(0, 10));
}

export function nameOf({ order, job, attempts, stalls, memo = '', lease }: Ticket): string {
  return [order, job, attempts, stalls, memo, ...(lease ? [lease.until, lease.token] : [])].join('.');
}

export function readName(name: string): Ticket {
  const [priority, availableAt, sequence, job, attempts, stalls, memo, until, token] = name.split('.');
  return {
    order: [priority, availableAt, sequence].join('.'),
    availableAt: Number(availableAt),
    job: job!,
    attempts: Number(attempts),
    stalls: Number(stalls),
    ...(memo && { memo }),
    ...(token && { lease: { until: Number(until), token } }),
  };
}

/** Due, and nobody has it. */
export function isFree({ availableAt, lease }: Ticket, now: number): boolean {
  return lease ? lease.until <= now : availableAt <= now;
}

/** The same job at another time: its priority and its sequence stay. */
export function dueAt(ticket: Ticket, availableAt: number): Pick<Ticket, 'order' | 'availableAt'> {
  const [, , sequence] = ticket.order.split('.');
  return { order: orderOf(priorityOf(ticket), availableAt, sequence!), availableAt };
}

let pushes = 0;

/** Tells apart what this process pushes within a millisecond. */
export function nextSequence(): string {
  return digits(pushes++, 10);
}

export function digits(value: number, length: number): string {
  return String(value).padStart(length, '0');
}
