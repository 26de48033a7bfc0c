/** A member's place in its list. */
export interface Link<T> {
  readonly member: T;
  before: Link<T> | undefined;
  behind: Link<T> | undefined;
}

/**
 * Members that come and go all the time, in the order in which they came; each keeps its place in the field `K`. A Set or Map that
 * changes so often is copied every few changes, and an old copy points to the next one: once the first of them has grown old, V8 keeps
 * all that follow, and what was in them, until a full collection. With a hundred jobs at a time that was 2 kB of each.
 */
export class LiveList<K extends string, T extends { [P in K]?: Link<T> | undefined }> {
  #first: Link<T> | undefined;
  #last: Link<T> | undefined;
  #size = 0;

  constructor(private readonly field: K) {}

  get size(): number {
    return this.#size;
  }

  has(member: T): boolean {
    return member[this.field] !== undefined;
  }

  add(member: T): void {
    if (this.has(member)) return;
    const link: Link<T> = { member, before: this.#last, behind: undefined };
    if (this.#last) this.#last.behind = link;
    else this.#first = link;
    this.#last = link;
    this.#size += 1;
    this.#place(member, link);
  }

  delete(member: T): boolean {
    const link: Link<T> | undefined = member[this.field];
    if (link === undefined) return false;
    const { before, behind } = link;
    if (before) before.behind = behind;
    else this.#first = behind;
    if (behind) behind.before = before;
    else this.#last = before;
    // Nothing that is gone may point to what is there.
    link.before = undefined;
    link.behind = undefined;
    this.#size -= 1;
    this.#place(member, undefined);
    return true;
  }

  clear(): void {
    for (const member of this.all()) this.delete(member);
  }

  /** As they are at this moment: any may go while it is read. */
  all(): T[] {
    const members: T[] = [];
    for (let link = this.#first; link; link = link.behind) members.push(link.member);
    return members;
  }

  #place(member: T, link: Link<T> | undefined): void {
    (member as { [P in K]?: Link<T> | undefined })[this.field] = link;
  }
}
