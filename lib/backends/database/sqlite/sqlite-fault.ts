/** Another connection holds a lock: SQLITE_BUSY or SQLITE_LOCKED, in any of their extended forms. */
export function isBusy(error: unknown): boolean {
  return /^SQLITE_(BUSY|LOCKED)/.test(codeOf(error));
}

/** The disk, or the quota on it, is full. SQLite has rolled the transaction back. */
export function isFull(error: unknown): boolean {
  return codeOf(error) === 'SQLITE_FULL';
}

/** The path leads to no file that SQLite could open. */
export function isUnusable(error: unknown): boolean {
  // libsql gives a failed open no code.
  if (messageOf(error).startsWith('ConnectionFailed(')) return true;
  return /^(SQLITE_(NOTADB|CANTOPEN|PERM|AUTH)|EACCES|EISDIR|EEXIST|ENOTDIR|EPERM|EROFS)/.test(codeOf(error));
}

/** What one value or one row is to blame for: the transaction around it is sound and can go on. */
export function isRowFault(error: unknown): boolean {
  return error instanceof TypeError || /^SQLITE_(CONSTRAINT|MISMATCH|TOOBIG|RANGE)/.test(codeOf(error));
}

export function messageOf(error: unknown): string {
  const message = (error as { message?: unknown } | null)?.message;
  return typeof message === 'string' ? message : String(error);
}

function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : '';
}
