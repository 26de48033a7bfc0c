import { Controller, Get, HttpCode, NotFoundException, Param, Post } from '@nestjs/common';
import { FailedJobs } from 'nestjs-queue';

@Controller('failed')
export class FailedController {
  constructor(private readonly failedJobs: FailedJobs) {}

  @Get()
  async list() {
    const jobs = await this.failedJobs.all();
    return jobs.map(({ id, displayName, queue, failedAt, exception }) => ({
      id,
      job: displayName,
      queue,
      failedAt,
      reason: exception.split('\n', 1)[0],
    }));
  }

  @Post(':id/retry')
  @HttpCode(202)
  async retry(@Param('id') id: string) {
    if (!(await this.failedJobs.retry(id))) throw new NotFoundException(`There is no failed job ${id}`);
    return { queued: true };
  }
}
