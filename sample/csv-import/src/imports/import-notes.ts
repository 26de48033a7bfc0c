import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { ImportNote } from './import-note.entity.js';

@Injectable()
export class ImportNotes {
  constructor(@InjectDataSource() private readonly dataSource: DataSource) {}

  async add(file: string, callback: string, text: string): Promise<void> {
    await this.dataSource.manager.insert(ImportNote, { file, callback, text });
  }

  of(file: string): Promise<ImportNote[]> {
    return this.dataSource.manager.find(ImportNote, { where: { file }, order: { id: 'ASC' } });
  }
}
