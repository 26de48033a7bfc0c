// Every check of this repository, one after the other, each with its own output. All of them run, also behind one that
// fails. The last line counts the tests; the exit code is 0 only when every step passed.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const reports = mkdtempSync(join(tmpdir(), 'nestjs-queue-verify-'));
const steps = [];

process.env.QUEUE_TEST_SERVERS_REPORT = join(reports, 'servers');
step('servers', 'node', '.ci/servers.mjs');
// From here on a server that is missing is a failure, not a reason to leave tests out.
process.env.REQUIRE_ALL = '1';
// Many tests watch the clock of a machine that others use too: one that fails is run once more, and named below.
process.env.SECOND_TRY = '1';
step('clean', 'npm', 'run', '--silent', 'clean');
// Before the rules that go by types: samples know the package by what is built.
step('build', 'npm', 'run', '--silent', 'build');
step('lint', 'npm', 'run', '--silent', 'lint');
step('format', 'npm', 'run', '--silent', 'format:check');
step('types', 'npm', 'run', '--silent', 'typecheck');
tests('tests', 'test');
// Apart from the others: they install packages and start whole apps, which would slow tests that watch the clock.
tests('package', 'test:package');

console.log('\n== Result');
for (const { name, ok, ms, note } of steps) {
  console.log(
    `  ${ok ? 'ok    ' : 'FAILED'}  ${name.padEnd(8)} ${(ms / 1000).toFixed(1).padStart(6)} s  ${note}`.trimEnd(),
  );
}
console.log(`\nServers the tests ran on: ${serversThatRan()}`);
const passed = steps.reduce((sum, { counts }) => sum + (counts?.passed ?? 0), 0);
const skipped = steps.reduce((sum, { counts }) => sum + (counts?.skipped ?? 0), 0);
// A step without tests that failed, or a suite that never came to its tests, counts as one failure.
const failed = steps.reduce((sum, { ok, counts }) => sum + (ok ? 0 : Math.max(1, counts?.failed ?? 0)), 0);
rmSync(reports, { recursive: true, force: true });
console.log(`\n${passed} passed, ${failed} failed${skipped ? `, ${skipped} skipped` : ''}`);
process.exitCode = failed === 0 ? 0 : 1;

function serversThatRan() {
  try {
    const lines = readFileSync(process.env.QUEUE_TEST_SERVERS_REPORT, 'utf8').split('\n').filter(Boolean);
    return [...new Set(lines)].sort().join('; ') || 'none';
  } catch {
    return 'none';
  }
}

function step(name, command, ...args) {
  console.log(`\n== ${name}: ${command} ${args.join(' ')}`);
  const began = Date.now();
  const { status } = spawnSync(command, args, { cwd: root, stdio: 'inherit' });
  const done = { name, ok: status === 0, ms: Date.now() - began, note: '' };
  steps.push(done);
  return done;
}

function tests(name, script) {
  const report = join(reports, `${name}.json`);
  const done = step(name, 'npm', 'run', '--silent', script, '--', '--json', `--outputFile=${report}`);
  try {
    const counted = JSON.parse(readFileSync(report, 'utf8'));
    done.counts = {
      passed: counted.numPassedTests,
      failed: counted.numFailedTests + counted.numRuntimeErrorTestSuites,
      skipped: counted.numPendingTests + counted.numTodoTests,
    };
    done.note = `${counted.numTotalTests} tests in ${counted.numTotalTestSuites} files`;
    const again = counted.testResults
      .flatMap(({ assertionResults }) => assertionResults)
      .filter(({ status, invocations }) => status === 'passed' && invocations > 1);
    if (again.length > 0) done.note += `; passed at the second try: ${again.map((one) => one.fullName).join(', ')}`;
  } catch {
    done.ok = false;
    done.note = 'wrote no report';
  }
}
