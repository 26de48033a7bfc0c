import { Injectable } from '@nestjs/common';
import {
  Callable,
  DebounceFor,
  Encrypted,
  Job,
  Queueable,
  QueueModule,
  Skip,
  Unique,
  UniqueFor,
  type QueueModuleOptions,
} from 'nestjs-queue';

/** What ran for real: a fake runs nothing. */
export const ran: string[] = [];

@Job()
export class ShipOrder extends Queueable {
  constructor(readonly order: { id: number; note?: string }) {
    super();
  }
  handle(): string {
    ran.push(`ShipOrder ${this.order.id}`);
    return `shipped ${this.order.id}`;
  }
}

@Job()
export class ShipParcel extends ShipOrder {}

@Job({ queue: 'emails' })
export class SendMail extends Queueable {
  constructor(readonly to: string) {
    super();
  }
  handle(): void {
    ran.push(`SendMail ${this.to}`);
  }
}

@Job()
export class RecordShipment extends Queueable {
  constructor(readonly id: number) {
    super();
  }
  handle(): void {
    ran.push(`RecordShipment ${this.id}`);
  }
}

@Job()
@UniqueFor(600)
export class ImportRates extends Queueable {
  constructor(readonly day: string) {
    super();
  }
  uniqueId(): string {
    return this.day;
  }
  handle(): void {
    ran.push(`ImportRates ${this.day}`);
  }
}

@Job()
@Unique()
export class Rebuild extends Queueable {
  handle(): void {
    ran.push('Rebuild');
  }
}

@Job()
@DebounceFor(30)
export class Reindex extends Queueable {
  constructor(readonly id: number) {
    super();
  }
  debounceId(): string {
    return String(this.id);
  }
  handle(): void {}
}

@Job()
@Encrypted()
export class ChargeCard extends Queueable {
  constructor(readonly card: string) {
    super();
  }
  handle(): void {}
}

@Job()
export class Carry extends Queueable {
  constructor(readonly what: unknown) {
    super();
  }
  handle(): void {}
}

@Job()
export class Declined extends Queueable {
  prepareForDispatch(): boolean {
    return false;
  }
  handle(): void {}
}

export class NoJob {
  handle(): void {}
}

/** Not a middleware that may travel. */
export class Loud {
  handle(_job: unknown, next: () => Promise<void>): Promise<void> {
    return next();
  }
}
export const skipping = (): Skip => Skip.when(true);

@Injectable()
export class Podcasts {
  @Callable() publish(id: number, title?: string): void {
    ran.push(`publish ${id} ${title ?? ''}`);
  }
  secret(): void {}
}

export const KEY = 'a key that is at least 32 characters long';
export const JOBS = [
  ShipOrder,
  ShipParcel,
  SendMail,
  RecordShipment,
  ImportRates,
  Rebuild,
  Reindex,
  ChargeCard,
  Carry,
  Declined,
  Podcasts,
];

/** An app with these jobs. */
export function appOf(options: QueueModuleOptions = {}) {
  return {
    imports: [QueueModule.forRoot({ default: 'memory', key: KEY, ...options })],
    providers: JOBS,
  };
}
