import { afterAll } from '@jest/globals';
import { describeConformance } from '../support/conformance.js';
import { describeServer } from '../support/shared-servers.js';
import { ServerBackends } from './server-harness.js';

describeServer('mysql', 'mysql', () => {
  const backends = new ServerBackends('mysql');
  afterAll(() => backends.drop());
  describeConformance('mysql', () => backends.harness());
});
