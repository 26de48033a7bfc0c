import { inspect } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { bareError, isReadOnly, redisFault } from '../../lib/backends/redis/redis-faults.js';

const reply = (message: string): Error => Object.assign(new Error(message), { name: 'ReplyError' });

describe('what an answer of Redis means', () => {
  it.each([
    ['LOADING Redis is loading the dataset in memory', 'wait'],
    ['BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.', 'wait'],
    ['MISCONF Redis is configured to save RDB snapshots, but it is currently not able to persist on disk.', 'wait'],
    ["READONLY You can't write against a read only replica.", 'wait'],
    ["READONLY You can't write against a read only replica. script: 0f1e, on @user_script:3.", 'wait'],
    ["MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", 'wait'],
    ['NOREPLICAS Not enough good replicas to write.', 'wait'],
    ['CLUSTERDOWN Hash slot not served', 'wait'],
    ['TRYAGAIN Multiple keys request during rehashing of slot', 'wait'],
    ['ERR max number of clients reached', 'wait'],
    ['UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)', 'wait'],
    [
      "ERR Error running script (call to f_ab12): @user_script:7: -READONLY You can't write against a read only replica.",
      'wait',
    ],
    [
      "ERR Error running script (call to f_ab12): @user_script:7: -OOM command not allowed when used memory > 'maxmemory'.",
      'full',
    ],
    ["OOM command not allowed when used memory > 'maxmemory'.", 'full'],
    ["OOM allow-oom flag is not set on the script, can not run it when used memory > 'maxmemory'", 'full'],
    ['NOSCRIPT No matching script. Please use EVAL.', 'noscript'],
    ["ERR Error compiling script (new function): user_script:1: unexpected symbol near '#'", 'flags'],
    ['NOAUTH Authentication required.', 'refused'],
    ['WRONGPASS invalid username-password pair or user is disabled.', 'refused'],
    ["NOPERM this user has no permissions to run the 'evalsha' command", 'refused'],
    ['ERR DB index is out of range', 'refused'],
    ['ERR SELECT is not allowed in cluster mode', 'refused'],
    ['WRONGTYPE Operation against a key holding the wrong kind of value', 'other'],
    ["CROSSSLOT Keys in request don't hash to the same slot", 'other'],
    ["ERR user_script:3: Script attempted to access nonexistent global variable 'x'", 'other'],
  ])('%s: %s', (message, fault) => {
    expect(redisFault(reply(message))).toBe(fault);
  });

  it.each([
    [new Error('Connection is closed.'), 'way'],
    [new Error("Stream isn't writeable and enableOfflineQueue options is false"), 'way'],
    [Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:1'), { code: 'ECONNREFUSED' }), 'way'],
    [new Error('Too many Cluster redirections. Last error: ReplyError: TRYAGAIN'), 'wait'],
    // What the client makes of an answer to its own questions while it connects.
    [new Error('Ready check failed: NOAUTH Authentication required.'), 'refused'],
  ])('%s: %s', (error, fault) => {
    expect(redisFault(error)).toBe(fault);
  });

  it('knows a replica by its answer alone', () => {
    expect(isReadOnly(reply("READONLY You can't write against a read only replica."))).toBe(true);
    expect(isReadOnly(new Error('READONLY'))).toBe(false);
    expect(isReadOnly(undefined)).toBe(false);
  });

  it('keeps nothing of a command, which may be a password or a body', () => {
    const error = Object.assign(reply('WRONGPASS invalid username-password pair'), {
      code: 'X',
      command: { name: 'auth', args: ['me', 'canary'] },
    });
    const bare = bareError(error);
    expect(bare).toMatchObject({ message: 'WRONGPASS invalid username-password pair', name: 'ReplyError', code: 'X' });
    expect(inspect(bare, { depth: 9, showHidden: true })).not.toContain('canary');
    expect(bareError(new AggregateError([new Error('connect ECONNREFUSED ::1:1')])).message).toBe(
      'connect ECONNREFUSED ::1:1',
    );
  });
});
