import { describe, QueueError } from '../support/queue-error.js';

/** Adds to a payload what every job of a connection should carry. */
export type PayloadHook = (connection: string, queue: string, payload: object) => object;

/** A function given to `createPayloadUsing()` threw, or returned what cannot be added to a payload. The job was not sent. */
export class PayloadHookError extends QueueError {
  constructor(hook: string, problem: string, options?: ErrorOptions) {
    super('ERR_QUEUE_PAYLOAD_HOOK', `The payload hook ${hook} ${problem}`, options);
  }
}

/**
 * What the hooks add, later ones over earlier ones; each sees the payload with what those before it added.
 *
 * @throws PayloadHookError
 */
export function runPayloadHooks(
  hooks: readonly PayloadHook[],
  payload: object,
  to: { readonly connection: string; readonly queue: string },
): Readonly<Record<string, unknown>> | undefined {
  let extra: Record<string, unknown> = {};
  hooks.forEach((hook, index) => {
    const name = hook.name || `number ${index + 1}`;
    let added: unknown;
    try {
      added = hook(to.connection, to.queue, { ...payload, ...extra });
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new PayloadHookError(name, `failed, and the job was not sent: ${why}`, { cause });
    }
    if (!isPlain(added))
      throw new PayloadHookError(name, `returned ${describe(added)}. Return an object of JSON values.`);
    const odd = oddity(added, '', []);
    if (odd) throw new PayloadHookError(name, `returned ${odd}. Return an object of JSON values.`);
    extra = { ...extra, ...added };
  });
  return Object.keys(extra).length > 0 ? extra : undefined;
}

/** The first part that JSON would lose, change or choke on. An `undefined` property is one that is not there. */
function oddity(value: unknown, path: string, above: readonly object[]): string | undefined {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return undefined;
  if (typeof value === 'number' && Number.isFinite(value)) return undefined;
  if (typeof value !== 'object' || (!Array.isArray(value) && !isPlain(value))) return `${path}: ${describe(value)}`;
  if (above.includes(value)) return `${path}, which leads back to itself`;
  const way = [...above, value];
  if (Array.isArray(value)) return first(value, (one, index) => oddity(one, `${path}[${index}]`, way));
  return first(Object.keys(value), (key) => {
    if (key === '__proto__') return `an own __proto__ key`;
    const one = (value as Record<string, unknown>)[key];
    return one === undefined ? undefined : oddity(one, path === '' ? key : `${path}.${key}`, way);
  });
}

function first<T>(all: readonly T[], look: (one: T, index: number) => string | undefined): string | undefined {
  for (const [index, one] of all.entries()) {
    const found = look(one, index);
    if (found !== undefined) return found;
  }
  return undefined;
}

function isPlain(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const proto: unknown = Object.getPrototypeOf(value);
  return proto === Object.prototype || proto === null;
}
