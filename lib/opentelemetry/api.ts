import { createRequire } from 'node:module';
import { requirePeer } from '../support/load-peer.js';

/** The package `@opentelemetry/api`, as far as it is used here. */
export type Api = typeof import('@opentelemetry/api');

const PEER = {
  name: '@opentelemetry/api',
  purpose: 'openTelemetry()',
  install: 'npm i @opentelemetry/api',
};

/** @throws MissingPackageError with the command that installs it */
export function loadApi(): Api {
  const require = createRequire(import.meta.url);
  return requirePeer(PEER, () => require('@opentelemetry/api') as Api);
}
