import { Controller, Inject, Injectable, Module, Post } from '@nestjs/common';
import { Job, Queueable, QueueBus, QueueModule, Tries } from 'nestjs-queue';

@Injectable()
export class Notes {
  readonly written: string[] = [];
}

@Job()
@Tries(1)
export class WriteNote extends Queueable {
  constructor(
    readonly text: string,
    readonly at: Date,
  ) {
    super();
  }

  handle(@Inject() notes: Notes): void {
    if (!(this.at instanceof Date)) throw new Error('the date did not travel as one');
    notes.written.push(this.text);
  }
}

@Job()
@Tries(1)
export class BreakNote extends Queueable {
  handle(): void {
    throw new Error('cannot be written');
  }
}

@Controller('notes')
export class NotesController {
  constructor(private readonly bus: QueueBus) {}

  @Post()
  async create(): Promise<{ id: string | undefined }> {
    const receipt = await this.bus.dispatch(new WriteNote('from a controller', new Date()));
    await this.bus.dispatch(new BreakNote());
    return { id: receipt?.id };
  }
}

@Module({
  imports: [QueueModule.forRoot()],
  controllers: [NotesController],
  providers: [Notes, WriteNote, BreakNote],
})
export class AppModule {}
