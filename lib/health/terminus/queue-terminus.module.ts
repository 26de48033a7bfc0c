import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { QueueHealthIndicator } from './queue-health-indicator.js';

/** Provides `QueueHealthIndicator`, and TerminusModule with it: import it beside QueueModule. */
@Module({
  imports: [TerminusModule],
  providers: [QueueHealthIndicator],
  exports: [QueueHealthIndicator, TerminusModule],
})
export class QueueTerminusModule {}
