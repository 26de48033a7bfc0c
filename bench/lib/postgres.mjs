/**
 * The server of the benchmark: the given one, else a private one that is durable (fsync on), as production is.
 *
 * @returns `{ url, stop }`, or undefined with the reason printed where there is none
 */
export async function openPostgres(given) {
  if (given !== undefined) return { url: given, stop: async () => {} };
  try {
    const { startPostgres } = await import('../../test/support/servers.mjs');
    const server = await startPostgres({ durable: true });
    return { url: server.url, stop: () => server.close() };
  } catch (error) {
    process.stderr.write(`Postgres is left out: ${error.message}\n`);
    return undefined;
  }
}
