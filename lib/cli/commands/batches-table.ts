import { tableCommand } from '../table-command.js';

export const batchesTable = tableCommand({
  name: 'queue:batches-table',
  alias: 'make:queue-batches-table',
  part: 'batches',
  summary: 'write a TypeORM migration for the tables of batches',
});
