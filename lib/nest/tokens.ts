import { Inject } from '@nestjs/common';

/** What was given to `forRoot` or made by `forRootAsync`. */
export const QUEUE_OPTIONS: unique symbol = Symbol.for('nestjs-queue:options');
/** What the testing kit puts in front of the stores; `null` without it. */
export const QUEUE_STAGE: unique symbol = Symbol.for('nestjs-queue:stage');
/** The composed parts of one module. Not for applications. */
export const QUEUE_RUNTIME: unique symbol = Symbol.for('nestjs-queue:runtime');

/** The job classes of one `forFeature()`. */
export const QUEUE_FEATURE: unique symbol = Symbol.for('nestjs-queue:feature');

/** The provider of a connection by its name; without one, of the default connection. */
export function getQueueConnectionToken(name?: string): string {
  return name === undefined ? 'QueueConnection' : `QueueConnection:${name}`;
}

/** Injects a connection: `@InjectQueueConnection('reports') reports: QueueConnection`. */
export function InjectQueueConnection(name?: string): PropertyDecorator & ParameterDecorator {
  return Inject(getQueueConnectionToken(name));
}
