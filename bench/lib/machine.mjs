import { readFileSync } from 'node:fs';
import { cpus, release, type } from 'node:os';
import { one } from './pg.mjs';

const PACKAGES = {
  ours: ['nestjs-queue', '@nestjs/core', 'typeorm', 'libsql', 'pg', 'ioredis'],
  peers: ['plainjob', 'better-sqlite3', 'pg-boss', 'graphile-worker', 'bullmq', '@nestjs/bullmq'],
};

/** What the figures of a run depend on. `nodeOf` gives the Node version a peer runs on. */
export async function describeMachine({ peers, nodeOf, postgresUrl, redisVersion, date = new Date() }) {
  const node = {};
  for (const peer of peers) (node[nodeOf(peer)] ??= []).push(peer.id);
  const versions = {};
  for (const name of PACKAGES.ours) versions[name] = versionAt(ourManifest(name));
  for (const name of PACKAGES.peers)
    versions[name] = versionAt(new URL(`../node_modules/${name}/package.json`, import.meta.url));
  if (postgresUrl !== undefined)
    versions.PostgreSQL = String(await one(postgresUrl, 'SHOW server_version')).split(' ')[0];
  if (redisVersion !== undefined) versions.Redis = redisVersion;
  const [cpu] = cpus();
  return {
    cpu: cpu.model.trim(),
    cores: cpus().length,
    os: `${type()} ${release()}`,
    node,
    versions,
    date: date.toISOString(),
  };
}

function ourManifest(name) {
  const path = name === 'nestjs-queue' ? '../../package.json' : `../../node_modules/${name}/package.json`;
  return new URL(path, import.meta.url);
}

function versionAt(url) {
  return JSON.parse(readFileSync(url, 'utf8')).version;
}
