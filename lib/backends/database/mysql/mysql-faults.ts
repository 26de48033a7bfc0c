import { isWayFault, type Fault, type Faults } from '../server/faults.js';
import { LostLinkError } from '../server/link.js';

/** By number, which is the same on both servers or used by one of them alone. */
const NUMBERS: readonly (readonly [Fault, readonly number[]])[] = [
  // Deadlock, lock wait, NOWAIT, a row that changed since it was read.
  ['conflict', [1213, 1205, 3572, 1020, 1614]],
  [
    'unavailable',
    [
      // Full of connections, shutting down, read-only.
      1040, 1203, 1226, 1053, 1077, 1079, 1290, 1836, 1792,
      // Killed: the connection, the statement, the one that took too long.
      1927, 1317, 3024, 1969, 1907, 4031,
      // The client's own, and broken packets.
      2002, 2003, 2005, 2006, 2013, 2055, 1043, 1047, 1129, 1158, 1159, 1160, 1161,
      // Not enough memory now; too many prepared statements; a statement that has to be prepared anew.
      1037, 1038, 1041, 1461, 1615, 1243,
    ],
  ],
  ['row', [1062, 1406, 1264, 1366, 1048, 1292, 1153, 1265, 1267, 1300, 1301, 1364, 1690, 3140, 4025, 3819]],
  ['schema', [1146, 1054, 1051, 1176]],
  ['full', [1021, 1114, 3675]],
  ['refused', [1044, 1045, 1049, 1142, 1143, 1227, 1251, 1370, 1698, 1820, 1862, 3118, 4151]],
];
const BY_NUMBER: ReadonlyMap<number, Fault> = new Map(
  NUMBERS.flatMap(([fault, numbers]) => numbers.map((number) => [number, fault] as const)),
);

const READ_ONLY: ReadonlySet<number> = new Set([1290, 1836, 1792]);
const DUPLICATE = 1062;
/** A row's lock was waited for in vain, or not waited for: MariaDB has one number for both. */
const LOCK_WAITS: ReadonlySet<number> = new Set([1205, 3572]);
/** What the storage engine or a file says. */
const STORAGE: ReadonlySet<number> = new Set([3, 1026, 1030]);
/** After these the server has hung up. */
const HUNG_UP: ReadonlySet<number> = new Set([1927, 1053, 1077, 1079, 4031, 2006, 2013, 2055]);

interface ServerError {
  readonly errno?: unknown;
  readonly code?: unknown;
  readonly message?: unknown;
  readonly fatal?: unknown;
  readonly driverError?: unknown;
  readonly cause?: unknown;
}

export const mysqlFaults: Faults = {
  of(error) {
    if (error instanceof LostLinkError) return 'unavailable';
    const found = rootOf(error);
    const number = numberOf(found);
    if (number === 1290 && !readOnly(found)) return 'other';
    // "Got error 28", "errno: 28": no space left on the device.
    if (number !== undefined && STORAGE.has(number) && /\b(?:error|errno:) 28\b/.test(textOf(found.message)))
      return 'full';
    // A deadlock has rolled back the whole transaction, the savepoint with it.
    if (number === 1305 && /savepoint/i.test(textOf(found.message))) return 'conflict';
    const known = number === undefined ? undefined : BY_NUMBER.get(number);
    if (known) return known;
    const code = textOf(found.code);
    if (CLOSED.test(textOf(found.message))) return 'unavailable';
    if (isWayFault(found) || code.startsWith('PROTOCOL_') || code.startsWith('HANDSHAKE_') || found.fatal === true)
      return 'unavailable';
    if (code.startsWith('ER_DATA') || code.startsWith('ER_TRUNCATED') || code.startsWith('ER_WARN_DATA')) return 'row';
    return 'other';
  },
  readOnly: (error) => readOnly(rootOf(error)),
};

/** mysql2 says these without a code. */
const CLOSED = /^(?:Pool is closed|Can't (?:add new command|write) (?:when connection is )?in closed state)/;

/** The statement was refused because of a key that is there. */
export function isDuplicate(error: unknown): boolean {
  return numberOf(rootOf(error)) === DUPLICATE;
}

/** Another transaction has the row. */
export function isLockWait(error: unknown): boolean {
  const number = numberOf(rootOf(error));
  return number !== undefined && LOCK_WAITS.has(number);
}

/** The connection has ended, or ends with this. */
export function endsLink(error: unknown): boolean {
  const { fatal, code, errno, message } = (error ?? {}) as ServerError;
  if (fatal === true || (typeof errno === 'number' && HUNG_UP.has(errno))) return true;
  return isWayFault(error) || CLOSED.test(textOf(message)) || textOf(code).startsWith('PROTOCOL_');
}

/** 1290 stands for other options of the server too. */
function readOnly(error: ServerError): boolean {
  const number = numberOf(error);
  if (number === undefined || !READ_ONLY.has(number)) return false;
  return number !== 1290 || /read[-_ ]only/i.test(textOf(error.message));
}

/** TypeORM wraps errors of the driver, and others wrap those. */
function rootOf(error: unknown): ServerError {
  let found = (error ?? {}) as ServerError;
  for (let depth = 0; depth < 5 && typeof found.errno !== 'number'; depth += 1) {
    const inner = found.driverError ?? (found.code === undefined ? found.cause : undefined);
    if (typeof inner !== 'object' || inner === null) break;
    found = inner as ServerError;
  }
  return found;
}

/** Node's own errors have negative numbers. */
function numberOf({ errno }: ServerError): number | undefined {
  return typeof errno === 'number' && errno > 0 ? errno : undefined;
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
