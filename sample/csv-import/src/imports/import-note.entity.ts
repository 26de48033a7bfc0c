import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';

/** That a callback of an import ran, and how it found the batch. */
@Entity()
export class ImportNote {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column()
  file!: string;

  @Column()
  callback!: string;

  @Column()
  text!: string;
}
