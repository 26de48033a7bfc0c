import { Injectable } from '@nestjs/common';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { Journal } from './journal.js';
import { settings } from './settings.js';

/** Somebody else's service, out of order while a certain file is there. */
@Injectable()
export class PaymentGateway {
  constructor(private readonly journal: Journal) {}

  charge(orderId: number, cardNumber: string): void {
    if (existsSync(settings.gatewayDown)) {
      this.journal.tell('gateway refused', `order ${orderId}`);
      throw new Error('The payment gateway answered 503');
    }
    this.journal.tell('charged', `order ${orderId}, the card that ends in ${cardNumber.slice(-4)}`);
  }

  goDown(): void {
    writeFileSync(settings.gatewayDown, '');
    this.journal.tell('gateway', 'down');
  }

  comeBack(): void {
    rmSync(settings.gatewayDown);
    this.journal.tell('gateway', 'up again');
  }
}
