import { describe, expect, it } from '@jest/globals';
import { loadPeer, MissingPackageError, requirePeer } from '../../../lib/support/load-peer.js';

const peer = { name: 'libsql', purpose: 'The database connection', install: 'npm i typeorm libsql' };

describe('loadPeer', () => {
  it('answers with the package', async () => {
    expect(await loadPeer(peer, async () => 'the package')).toBe('the package');
  });

  it.each(['ERR_MODULE_NOT_FOUND', 'MODULE_NOT_FOUND'])(
    'names the command that installs what is missing (%s)',
    async (code) => {
      const cause = Object.assign(new Error("Cannot find package 'libsql'"), { code });
      const error: unknown = await loadPeer(peer, () => Promise.reject(cause)).catch((one: unknown) => one);
      expect(error).toBeInstanceOf(MissingPackageError);
      expect(error).toMatchObject({ code: 'ERR_QUEUE_MISSING_PACKAGE', cause });
      expect(String(error)).toContain(
        'The database connection needs the package libsql, which is not installed. Run: npm i typeorm libsql',
      );
    },
  );

  it("passes any other failure of the package's own code on", async () => {
    const cause = new Error('compiled for another Node');
    await expect(loadPeer(peer, () => Promise.reject(cause))).rejects.toBe(cause);
  });
});

describe('requirePeer', () => {
  const failing = (code: string) => () => {
    throw Object.assign(new Error('gone'), { code });
  };

  it('does the same at once', () => {
    expect(requirePeer(peer, () => 'the package')).toBe('the package');
    expect(() => requirePeer(peer, failing('MODULE_NOT_FOUND'))).toThrow(MissingPackageError);
    expect(() => requirePeer(peer, failing('MODULE_NOT_FOUND'))).toThrow('Run: npm i typeorm libsql');
    expect(() => requirePeer(peer, failing('ERR_OTHER'))).toThrow('gone');
  });
});
