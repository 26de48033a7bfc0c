// Builds the library and this sample, runs its web process and its worker on a fresh SQLite file, sends a few requests
// and tells what came of them. `npm start -- --stay` leaves both running.
import { spawn, spawnSync } from 'node:child_process';
import { createInterface } from 'node:readline';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const here = import.meta.dirname;
const root = join(here, '../..');
const stay = process.argv.includes('--stay');
const began = Date.now();

const children = [];
let ending = false;

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => void end(stay && signal === 'SIGINT' ? 0 : 130));
}

try {
  build();
  const dataDir = freshDataDir();
  const web = await startWeb(dataDir);
  startWorker(dataDir);
  await scenario(web);
  await summary(web, dataDir);
  if (stay) {
    tellUrls(web);
  } else {
    await end(0);
  }
} catch (error) {
  if (!ending) {
    console.error(`\nThe sample did not get through: ${error.message}`);
    await end(1);
  }
}

// ---- what it shows ---------------------------------------------------------------------------------------------------

async function scenario(web) {
  title('Three podcasts arrive: two whole, one whose sound is uploaded later');
  const morning = await post(web, '/podcasts', { title: 'Morning tones', tone: { hz: 220, seconds: 20, volume: 0.2 } });
  await post(web, '/podcasts', { title: 'Evening tones', tone: { hz: 165, seconds: 30, volume: 0.6 } });
  const late = await post(web, '/podcasts', { title: 'Late upload' });
  await until('the first try without its sound', () => journal().some((line) => line.id === late.job && line.error));
  const sound = await download(web, `/podcasts/${morning.id}/audio`);
  await put(web, `/podcasts/${late.id}/audio`, sound);
  say(`the sound of podcast ${late.id} is there now; its next try will find it`);

  title('A fourth comes with a broken file');
  const broken = await post(web, '/podcasts', { title: 'Broken file' });
  await put(web, `/podcasts/${broken.id}/audio`, sound.subarray(0, sound.length / 2));
  const failed = await until('the failed job', async () => (await get(web, '/failed'))[0]);
  say(`GET /failed → ${failed.job} ${failed.id}: ${failed.reason}`);

  title('The file is mended, the job is retried');
  await put(web, `/podcasts/${broken.id}/audio`, sound);
  await post(web, `/failed/${failed.id}/retry`);
  await until('all four podcasts to be published', async () =>
    (await get(web, '/podcasts')).every((podcast) => podcast.status === 'published'),
  );
  await until('the last job to be reported', () => journal().filter((line) => line.event === 'done').length >= 8);
}

async function summary(web, dataDir) {
  const jobs = new Map();
  for (const line of journal()) {
    const job = jobs.get(line.id) ?? { name: line.name, about: line.tags[0], tries: 0, busyMs: 0, ends: [] };
    jobs.set(line.id, job);
    if (line.event === 'started') {
      job.tries += 1;
      job.firstAt ??= line.at;
      job.startedAt = line.at;
    } else {
      if (job.startedAt !== undefined) job.busyMs += line.at - job.startedAt;
      job.startedAt = undefined;
      if (line.event !== 'will retry') job.ends.push(line.event);
      job.lastAt = line.at;
    }
  }
  title('Jobs');
  table(
    ['job', 'tag', 'tries', 'outcome', 'at work', 'first try to end'],
    [...jobs.values()].map((job) => [
      job.name,
      job.about,
      job.tries,
      job.ends.join(', retried: '),
      `${job.busyMs} ms`,
      `${((job.lastAt - job.firstAt) / 1000).toFixed(1)} s`,
    ]),
  );

  const podcasts = await get(web, '/podcasts');
  title('Podcasts');
  table(
    ['podcast', 'status', 'length', 'peak', 'loudness', 'turned by'],
    podcasts.map(({ title, status, report }) => [
      title,
      status,
      `${report.seconds.toFixed(1)} s`,
      `${report.peakDb.toFixed(1)} dB`,
      `${report.loudnessLufs.toFixed(1)} LUFS`,
      `${report.gainDb > 0 ? '+' : ''}${report.gainDb.toFixed(1)} dB`,
    ]),
  );

  title(`Files in ${relative(process.cwd(), dataDir) || '.'}`);
  const files = readdirSync(dataDir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const rows = files
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => /\.(wav|svg|xml)$/.test(file))
    .map((file) => [relative(dataDir, file), `${Math.ceil(statSync(file).size / 1024)} KB`]);
  table(
    ['file', 'size'],
    rows.toSorted(([a], [b]) => a.localeCompare(b)),
  );

  const stillFailed = (await get(web, '/failed')).length;
  const tries = [...jobs.values()].reduce((sum, job) => sum + job.tries, 0);
  const done = [...jobs.values()].filter((job) => job.ends.at(-1) === 'done').length;
  console.log(
    `\n${jobs.size} jobs, ${tries} tries: ${done} done, ${stillFailed} failed. ${seconds(Date.now() - began)} in all.`,
  );
}

function tellUrls(web) {
  console.log(`
Left running:
  ${web}/podcasts     GET: all podcasts. POST: a new one, e.g.
      curl ${web}/podcasts --json '{ "title": "Mine", "tone": { "hz": 330, "seconds": 10 } }'
  ${web}/failed       GET: failed jobs. POST to ${web}/failed/<id>/retry
Ctrl-C stops both processes.`);
}

// ---- processes -------------------------------------------------------------------------------------------------------

function build() {
  if (isOlder(join(root, 'dist/index.js'), join(root, 'lib'))) {
    say('building the library …');
    run(['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json']);
  }
  say('building the sample …');
  run(['node_modules/@nestjs/cli/bin/nest.js', 'build']);
}

function run(args) {
  const { status, signal } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' });
  if (status !== 0) throw new Error(`\`node ${args.join(' ')}\` ended with ${signal ?? status}`);
}

/** Whether `built` is missing or older than the newest file in `sources`. */
function isOlder(built, sources) {
  if (!existsSync(built)) return true;
  const builtAt = statSync(built).mtimeMs;
  return readdirSync(sources, { recursive: true }).some((file) => statSync(join(sources, file)).mtimeMs > builtAt);
}

/** A directory of this run's own. What earlier runs left is removed, unless they are still up. */
function freshDataDir() {
  const data = join(here, 'data');
  mkdirSync(data, { recursive: true });
  for (const name of readdirSync(data)) {
    const pid = /^run-(\d+)$/.exec(name)?.[1];
    if (pid && !isAlive(Number(pid))) rmSync(join(data, name), { recursive: true, force: true });
  }
  const mine = join(data, `run-${process.pid}`);
  rmSync(mine, { recursive: true, force: true });
  mkdirSync(mine);
  return mine;
}

function isAlive(pid) {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return error.code === 'EPERM';
  }
}

async function startWeb(dataDir) {
  const lines = start('web', ['dist/main.js'], dataDir);
  return await new Promise((resolve, reject) => {
    lines.on('line', (line) => {
      const url = /Listening on (\S+)/.exec(line)?.[1];
      if (url) resolve(url);
    });
    lines.on('close', () => reject(new Error('the web process ended before it listened')));
  });
}

function startWorker(dataDir) {
  start('worker', ['dist/worker.js', '--concurrency=2'], dataDir);
}

function start(name, args, dataDir) {
  const child = spawn(process.execPath, args, {
    cwd: here,
    env: { ...process.env, DATA_DIR: dataDir },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.push(child);
  child.once('exit', (code, signal) => {
    if (ending) return;
    console.error(`\nThe ${name} process ended by itself (${signal ?? `exit code ${code}`}).`);
    void end(1);
  });
  const out = createInterface({ input: child.stdout });
  const err = createInterface({ input: child.stderr });
  out.on('line', (line) => line.trim() && console.log(`${name.padStart(6)} | ${line}`));
  err.on('line', (line) => console.error(`${name.padStart(6)} | ${line}`));
  return out;
}

/** Ends both processes, by force after ten seconds, and then this one. */
async function end(code) {
  if (ending) return;
  ending = true;
  const running = children.filter((child) => child.exitCode === null && child.signalCode === null);
  const ended = Promise.all(running.map((child) => new Promise((resolve) => child.once('exit', resolve))));
  for (const child of running) child.kill('SIGTERM');
  const timer = setTimeout(() => running.forEach((child) => child.kill('SIGKILL')), 10_000);
  await ended;
  clearTimeout(timer);
  process.exit(code);
}

// ---- requests and waiting --------------------------------------------------------------------------------------------

async function request(web, path, init) {
  const response = await fetch(web + path, { ...init, signal: AbortSignal.timeout(10_000) });
  if (!response.ok)
    throw new Error(`${init?.method ?? 'GET'} ${path} answered ${response.status}: ${await response.text()}`);
  return response;
}

async function get(web, path) {
  return (await request(web, path)).json();
}

async function download(web, path) {
  return Buffer.from(await (await request(web, path)).arrayBuffer());
}

async function post(web, path, body) {
  const headers = { 'content-type': 'application/json' };
  const response = await request(web, path, { method: 'POST', headers, body: body && JSON.stringify(body) });
  const answer = await response.json();
  say(`POST ${path}${body ? ` "${body.title}"` : ''} → ${response.status} ${JSON.stringify(answer)}`);
  return answer;
}

async function put(web, path, body) {
  const response = await request(web, path, { method: 'PUT', headers: { 'content-type': 'audio/wav' }, body });
  say(`PUT ${path} (${Math.ceil(body.length / 1024)} KB) → ${response.status}`);
}

async function until(what, check) {
  const deadline = Date.now() + 25_000;
  for (;;) {
    const answer = await check();
    if (answer) return answer;
    if (ending) throw new Error('stopped');
    if (Date.now() > deadline) throw new Error(`waited 25 s in vain for ${what}`);
    await sleep(50);
  }
}

/** What the worker has written down about its jobs (src/jobs/job-journal.ts). */
function journal() {
  const file = join(here, 'data', `run-${process.pid}`, 'jobs.jsonl');
  if (!existsSync(file)) return [];
  return readFileSync(file, 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line));
}

// ---- output ----------------------------------------------------------------------------------------------------------

function title(text) {
  console.log(`\n== ${text}`);
}

function say(text) {
  console.log(`sample | ${text}`);
}

function seconds(ms) {
  return `${(ms / 1000).toFixed(1)} s`;
}

function table(head, rows) {
  const widths = head.map((cell, column) => Math.max(...[head, ...rows].map((row) => String(row[column]).length)));
  const line = (row) => `  ${row.map((cell, column) => String(cell).padEnd(widths[column])).join('   ')}`.trimEnd();
  for (const row of [head, widths.map((width) => '-'.repeat(width)), ...rows]) console.log(line(row));
}
