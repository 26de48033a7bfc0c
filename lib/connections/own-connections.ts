/**
 * The options of connections whose drivers are your own, by any name. Empty until you add to it, beside the driver:
 *
 * ```ts
 * declare module 'nestjs-queue' {
 *   interface OwnConnections {
 *     kafka: { driver: 'kafka'; brokers: string[]; queue?: string; retryAfter?: Duration };
 *   }
 * }
 * ```
 */
export interface OwnConnections {}
