import { Script } from '../script.js';
import { unlockPart } from './unlock-part.js';

/** KEYS: the lock. ARGV: owner. */
export const lockRelease = new Script('lock-release', 'frees', unlockPart, 'return unlock(KEYS[1], ARGV[1])');
