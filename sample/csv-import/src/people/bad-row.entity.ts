import { Column, Entity, PrimaryColumn } from 'typeorm';

/** A row that was left out. */
@Entity()
export class BadRow {
  @PrimaryColumn()
  file!: string;

  @PrimaryColumn()
  row!: number;

  @Column()
  problem!: string;
}
