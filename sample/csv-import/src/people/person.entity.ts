import { Column, Entity, PrimaryColumn } from 'typeorm';

/** A row of a file. Its place in it is the key: a chunk that is imported twice leaves every person once. */
@Entity()
export class Person {
  @PrimaryColumn()
  file!: string;

  @PrimaryColumn()
  row!: number;

  @Column()
  name!: string;

  @Column()
  email!: string;

  @Column()
  city!: string;

  @Column()
  born!: number;

  @Column()
  note!: string;

  /** The process that imported it. */
  @Column()
  worker!: string;
}
