import { queueMigrationsFor, type QueueMigrationClass } from '../backends/database/migrations/queue-migrations.js';

export { queueMigrationsFor };
export type {
  QueueMigration,
  QueueMigrationClass,
  QueueMigrationRunner,
  QueueTableNames,
} from '../backends/database/migrations/queue-migrations.js';

/** The migrations of tables with the default names: `new DataSource({ …, migrations: [...queueMigrations] })`. */
export const queueMigrations: QueueMigrationClass[] = queueMigrationsFor();
