/** Stands in for the journal: what the jobs tell, without a file and without the terminal. */
export class Told {
  readonly lines: string[] = [];

  tell(what: string, about: string): void {
    this.lines.push(`${what}: ${about}`);
  }

  note(): void {}
}
