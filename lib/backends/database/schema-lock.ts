/** Held on Postgres while tables are made, for all queues of a database: the table of versions is theirs together. */
export const POSTGRES_LOCK = '7811897650943027';

/** The same on MySQL, where names are the whole server's and 64 characters long at most. */
export const MYSQL_LOCK = `CONCAT('nestjs-queue:', MD5(DATABASE()))`;
