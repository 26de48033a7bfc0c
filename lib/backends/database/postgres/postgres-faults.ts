import { InvalidOptionError } from '../../../support/queue-error.js';
import { isWayFault, type Fault, type Faults } from '../server/faults.js';
import { LostLinkError } from '../server/link.js';

const BY_CODE: Readonly<Record<string, Fault>> = {
  // Too many connections; a limit of the server's configuration.
  '53300': 'unavailable',
  '53400': 'unavailable',
  '53200': 'unavailable',
  '53100': 'full',
  // Read-only: a replica, or told so.
  '25006': 'unavailable',
  // The statement's time was over, or somebody cancelled it.
  '57014': 'unavailable',
  '40001': 'conflict',
  '40P01': 'conflict',
  '55P03': 'conflict',
  '42P01': 'schema',
  '42703': 'schema',
  '3F000': 'schema',
  '54000': 'row',
  '3D000': 'refused',
  '42501': 'refused',
};
const BY_CLASS: Readonly<Record<string, Fault>> = { '08': 'unavailable', '22': 'row', '23': 'row', '28': 'refused' };

/** What pg and its pool say without a code. */
const UNAVAILABLE =
  /^(Connection terminated|timeout exceeded when trying to connect|timeout expired|Client (was closed|has encountered)|Cannot use a pool after calling end|Query read timeout)/;

export const postgresFaults: Faults = {
  of(error) {
    const own = driverError(error);
    if (own instanceof LostLinkError || isWayFault(own)) return 'unavailable';
    if (own instanceof InvalidOptionError) return 'row';
    const { code, message } = (own ?? {}) as { code?: unknown; message?: unknown };
    if (typeof code === 'string' && code.length === 5) {
      // 57P01 and up: it shuts down, starts, or ended this session.
      if (code.startsWith('57P')) return 'unavailable';
      return BY_CODE[code] ?? BY_CLASS[code.slice(0, 2)] ?? 'other';
    }
    return typeof message === 'string' && UNAVAILABLE.test(message) ? 'unavailable' : 'other';
  },
  readOnly: (error) => (driverError(error) as { code?: unknown } | null | undefined)?.code === '25006',
};

/** Something was locked by somebody for longer than `lock_timeout`. */
export function isLockTimeout(error: unknown): boolean {
  return (driverError(error) as { code?: unknown } | null | undefined)?.code === '55P03';
}

/** TypeORM wraps what the driver threw. */
function driverError(error: unknown): unknown {
  const { driverError: own } = (error ?? {}) as { driverError?: unknown };
  return own ?? error;
}
