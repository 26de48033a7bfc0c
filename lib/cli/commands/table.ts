import { tableCommand } from '../table-command.js';

export const jobsTable = tableCommand({
  name: 'queue:table',
  alias: 'make:queue-table',
  part: 'jobs',
  summary: 'write a TypeORM migration for the tables of the queue',
});
