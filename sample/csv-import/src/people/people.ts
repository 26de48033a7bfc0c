import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type EntityTarget, type ObjectLiteral } from 'typeorm';
import { settings } from '../settings.js';
import { BadRow } from './bad-row.entity.js';
import { Person } from './person.entity.js';
import { readPerson } from './read-person.js';

/** Counts by name. */
export type Counts = Record<string, number>;

@Injectable()
export class People {
  constructor(@InjectDataSource() private readonly dataSource: DataSource) {}

  /** Stores the rows of a file from `firstRow` on; those that are bad apart. Twice does no harm. */
  async store(file: string, firstRow: number, rows: readonly (readonly string[])[]): Promise<void> {
    const people: Person[] = [];
    const bad: BadRow[] = [];
    for (const [index, fields] of rows.entries()) {
      const row = firstRow + index;
      const person = readPerson(fields);
      if (typeof person === 'string') bad.push({ file, row, problem: person });
      else people.push({ file, row, ...person, worker: settings.process });
    }
    await this.insert(Person, people);
    await this.insert(BadRow, bad);
  }

  async imported(file: string): Promise<Counts> {
    return this.counts(Person, 'worker', file);
  }

  async bad(file: string): Promise<Counts> {
    return this.counts(BadRow, 'problem', file);
  }

  private async insert<T extends ObjectLiteral>(entity: EntityTarget<T>, rows: T[]): Promise<void> {
    if (rows.length === 0) return;
    const insert = this.dataSource.createQueryBuilder().insert().into(entity).values(rows);
    await insert.orIgnore().updateEntity(false).execute();
  }

  private async counts(entity: EntityTarget<ObjectLiteral>, by: string, file: string): Promise<Counts> {
    const query = this.dataSource.createQueryBuilder(entity, 'row').select(`row.${by}`, 'name');
    const rows = await query
      .addSelect('COUNT(*)', 'count')
      .where('row.file = :file', { file })
      .groupBy(`row.${by}`)
      .orderBy(`row.${by}`)
      .getRawMany<{ name: string; count: number }>();
    return Object.fromEntries(rows.map(({ name, count }) => [name, Number(count)]));
  }
}
