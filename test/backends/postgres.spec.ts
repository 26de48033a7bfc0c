import { afterAll } from '@jest/globals';
import { describeConformance } from '../support/conformance.js';
import { describeServer } from '../support/shared-servers.js';
import { ServerBackends } from './server-harness.js';

describeServer('postgres', 'postgres', () => {
  const backends = new ServerBackends('postgres');
  afterAll(() => backends.drop());
  describeConformance('postgres', () => backends.harness());
});
