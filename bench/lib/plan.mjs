import { named, PEERS } from './peers.mjs';
import { ROWS } from './rows.mjs';

/** Which peers take part. Ours always do; `peers` narrows the others. */
export function peersFor({ only, peers, soak, quick }, canRun) {
  return PEERS.filter((peer) => {
    if (!only.includes(peer.family) || !canRun(peer)) return false;
    if (soak) return peer.ours && peer.rows === undefined;
    if (peer.ours) return true;
    if (peers !== undefined) return peers.includes(peer.id);
    return !(quick && peer.raw);
  });
}

export function rowsFor({ rows, quick, soak }) {
  return ROWS.filter((row) => {
    if (soak || row.soak) return soak && row.soak === true;
    if (rows !== undefined) return named(row.id, rows);
    return !quick || row.quick === true;
  });
}

/**
 * The cells in the order in which they run: a row's peers one after another, round after round, each round beginning with another peer,
 * so that what changes on the machine falls on all of them.
 */
export function plan(rows, peers, rounds) {
  const cells = [];
  for (const row of rows) {
    const here = peers.filter((peer) => runsIn(peer, row));
    const times = row.once || row.soak ? 1 : rounds;
    for (let round = 0; round < times; round += 1) {
      for (let i = 0; i < here.length; i += 1) cells.push({ row, peer: here[(i + round) % here.length], round });
    }
  }
  return cells;
}

function runsIn(peer, row) {
  if (row.families !== undefined && !row.families.includes(peer.family)) return false;
  if (row.ours && !peer.ours) return false;
  if (row.excludes?.includes(peer.id)) return false;
  return peer.rows === undefined || named(row.id, peer.rows);
}
