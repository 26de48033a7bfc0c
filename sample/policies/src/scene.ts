/** A line of the summary. */
export interface Row {
  readonly policy: string;
  readonly promise: string;
  readonly came: string;
  readonly kept: boolean;
}

/** Shows one policy. Each is a file of policies/, with the jobs it needs. */
export interface Scene {
  readonly title: string;
  play(): Promise<Row[]>;
}

export function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(2)} s`;
}
