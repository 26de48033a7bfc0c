import { Script } from '../script.js';
import { batchDuePart } from './batch-due-part.js';

/** In place of a moment: none will be due any more; there is no such batch. */
export const CLOSED = -1;
export const GONE = -2;

/** KEYS: base of the batch. What `batch_due` says. */
export const batchDue = new Script('batch-due', 'frees', batchDuePart, 'return batch_due(KEYS[1])');
