import { expect, it } from '@jest/globals';
import { describeServer, sharedServer, useDatabase } from '../support/shared-servers.js';

// The smallest of specs on a server; shared-servers.spec.ts also runs it by itself, without one.
describeServer('mariadb', 'a spec that needs MariaDB', () => {
  const database = useDatabase('mariadb');

  it('has a database on the shared server', async () => {
    expect(database.ran).toBe('mariadb');
    expect(new URL(database.url).host).toBe(new URL((await sharedServer('mariadb')).url).host);
  });
});
