import { bestPerRound, median, ratioWithinRounds } from './stats.mjs';

/** The raw results of a run: one entry for each cell and round, `{ peer, row, round, values, checks }` or `{ …, error }`. */
export class Results {
  constructor(entries = []) {
    this.entries = entries;
  }

  add(entry) {
    this.entries.push(entry);
  }

  /** The values of a cell by round; undefined where a round has none. */
  series(peer, row, metric) {
    const values = [];
    for (const entry of this.entries) {
      if (entry.peer === peer && entry.row === row) values[entry.round] = entry.values?.[metric] ?? undefined;
    }
    return [...values];
  }

  median(peer, row, metric) {
    return median(this.series(peer, row, metric).filter((value) => Number.isFinite(value)));
  }

  ratio(peer, row, metric, reference) {
    return ratioWithinRounds(this.series(peer, row, metric), this.series(reference, row, metric));
  }

  has(peer, row) {
    return this.entries.some((entry) => entry.peer === peer && entry.row === row);
  }

  /** @returns what a target reached and whether that is enough; undefined where it was not measured */
  judge(target, better) {
    const { peer, row, metric, against, of } = target;
    const own = this.series(peer, row, metric);
    let reached;
    if (against !== undefined) {
      const others = against.peers.map((other) => this.series(other, row, metric));
      reached = ratioWithinRounds(own, bestPerRound(others, better));
    } else if (of !== undefined) {
      reached = ratioWithinRounds(own, this.series(peer, of.row, of.metric));
    } else {
      const values = own.filter((value) => Number.isFinite(value));
      // "Never early" holds for every round, not for the middle one.
      reached = target.kind === 'no less than' ? Math.min(...values) : median(values);
    }
    if (!Number.isFinite(reached)) return undefined;
    return { reached, met: MEETS[target.kind](reached, target.value) };
  }

  /** Cells where a job ran twice or was lost, and cells that failed: one entry for each peer and fault. */
  faults() {
    const cells = new Map();
    for (const { peer, row, checks = {}, error } of this.entries) {
      const wrong = Object.entries(checks).filter(([, count]) => count !== 0);
      const texts = error === undefined ? wrong.map(([what, count]) => `${what} ${count}`) : [gist(error)];
      for (const text of texts) {
        const key = JSON.stringify([peer, text]);
        cells.set(key, [...(cells.get(key) ?? []), row]);
      }
    }
    return [...cells].map(([key, rows]) => {
      const [peer, text] = JSON.parse(key);
      return { peer, rows: [...new Set(rows)], text };
    });
  }
}

/** The line of a stack or of a dead process's stderr that says what was wrong. */
export function gist(error) {
  const lines = error.split('\n');
  return lines.find((line) => /^\w*Error\b.*: /.test(line)) ?? lines[0];
}

const MEETS = {
  'at least': (reached, value) => reached >= value,
  'at most': (reached, value) => reached <= value,
  under: (reached, value) => reached < value,
  'no less than': (reached, value) => reached >= value,
};
