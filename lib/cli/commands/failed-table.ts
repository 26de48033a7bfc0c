import { tableCommand } from '../table-command.js';

export const failedTable = tableCommand({
  name: 'queue:failed-table',
  alias: 'make:queue-failed-table',
  part: 'failed',
  summary: 'write a TypeORM migration for the table of failed jobs',
});
