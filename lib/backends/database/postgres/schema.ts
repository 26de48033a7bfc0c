import { outboxOf, type Component } from '../schema-component.js';
import type { Tables } from '../table-names.js';

/** Text that is compared, never sorted for people: byte by byte, whatever the database's collation. */
const KEY = 'text COLLATE "C"';

export function postgresComponents(tables: Tables): readonly Component[] {
  if (tables.outbox) return [outboxOf(jobsComponent(tables), tables)];
  return [jobsComponent(tables), failedComponent(tables), batchesComponent(tables)];
}

/** Columns stand in the order that wastes no padding; attempts and stalls are NULL for 0, which most rows have. */
function jobsComponent({ bare, quoted: t }: Tables): Component {
  return {
    kind: 'jobs',
    table: bare.jobs,
    versions: [
      [
        `CREATE TABLE ${t.jobs} (
          id uuid PRIMARY KEY,
          seq bigint GENERATED ALWAYS AS IDENTITY,
          available_at bigint NOT NULL,
          leased_until bigint,
          priority integer NOT NULL,
          attempts integer,
          stalls integer,
          queue ${KEY} NOT NULL,
          token ${KEY},
          id_name ${KEY},
          lock_key ${KEY},
          lock_owner ${KEY},
          memo text,
          body text NOT NULL
        )`,
        // Exactly the claim's order, over free rows alone: neither what is reserved nor what is delayed is walked over.
        `CREATE INDEX "${bare.jobs}_claim" ON ${t.jobs} (queue, priority DESC, available_at, seq) WHERE leased_until IS NULL`,
        `CREATE INDEX "${bare.jobs}_leases" ON ${t.jobs} (queue, leased_until) WHERE leased_until IS NOT NULL`,
        // Every job leaves two dead rows behind; by default a table of a million rows would wait for 200,000 of them.
        `ALTER TABLE ${t.jobs} SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_analyze_scale_factor = 0.2)`,
        `CREATE TABLE ${t.once} (id ${KEY} PRIMARY KEY, expires_at bigint NOT NULL)`,
        `CREATE INDEX "${bare.once}_expiry" ON ${t.once} (expires_at)`,
        `CREATE TABLE ${t.cancelled} (token ${KEY} PRIMARY KEY, expires_at bigint NOT NULL)`,
        `CREATE TABLE ${t.effects} (
          seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
          job_id uuid NOT NULL,
          kind ${KEY} NOT NULL,
          effect text NOT NULL,
          created_at bigint NOT NULL
        )`,
        `CREATE TABLE ${t.locks} (lock_key ${KEY} PRIMARY KEY, owner ${KEY} NOT NULL, expires_at bigint)`,
        `CREATE INDEX "${bare.locks}_expiry" ON ${t.locks} (expires_at) WHERE expires_at IS NOT NULL`,
        `CREATE TABLE ${t.limits} (limit_key ${KEY} PRIMARY KEY, hits integer NOT NULL, ends_at bigint NOT NULL)`,
        `CREATE INDEX "${bare.limits}_expiry" ON ${t.limits} (ends_at)`,
        `CREATE TABLE ${t.control} (mark ${KEY} PRIMARY KEY, value text NOT NULL, expires_at bigint)`,
      ],
    ],
    drop: [t.control, t.limits, t.locks, t.effects, t.cancelled, t.once, t.jobs].map(dropTable),
  };
}

function failedComponent({ bare, quoted: t }: Tables): Component {
  return {
    kind: 'failed',
    table: bare.failed,
    versions: [
      [
        `CREATE TABLE ${t.failed} (
          seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
          id uuid NOT NULL UNIQUE,
          failed_at bigint NOT NULL,
          id_name ${KEY},
          connection ${KEY} NOT NULL,
          queue ${KEY} NOT NULL,
          name ${KEY} NOT NULL,
          display_name text NOT NULL,
          batch_id ${KEY},
          exception text NOT NULL,
          payload text NOT NULL
        )`,
        `CREATE INDEX "${bare.failed}_time" ON ${t.failed} (failed_at, seq)`,
      ],
    ],
    drop: [dropTable(t.failed)],
  };
}

function batchesComponent({ bare, quoted: t }: Tables): Component {
  return {
    kind: 'batches',
    table: bare.batches,
    versions: [
      [
        `CREATE TABLE ${t.batches} (
          seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
          id uuid NOT NULL UNIQUE,
          id_name ${KEY},
          name text NOT NULL,
          options text NOT NULL,
          total integer NOT NULL,
          pending integer NOT NULL,
          failed integer NOT NULL,
          ended integer NOT NULL,
          sealed integer NOT NULL,
          cancel_on_failure integer NOT NULL,
          created_at bigint NOT NULL,
          cancelled_at bigint,
          finished_at bigint,
          then_due bigint,
          catch_due bigint,
          finally_due bigint,
          confirmed ${KEY} NOT NULL,
          unconfirmed_since bigint
        )`,
        `CREATE INDEX "${bare.batches}_unconfirmed" ON ${t.batches} (unconfirmed_since) WHERE unconfirmed_since IS NOT NULL`,
        `CREATE TABLE ${t.members} (
          batch bigint NOT NULL,
          job_id uuid NOT NULL,
          ended_at bigint,
          state ${KEY},
          id_name ${KEY},
          PRIMARY KEY (batch, job_id)
        )`,
        `CREATE INDEX "${bare.members}_failed" ON ${t.members} (batch, ended_at) WHERE state = 'failed'`,
      ],
      // A member that succeeds is changed within its page: that takes room there, and no index on what is changed. A third faster.
      [
        `DROP INDEX IF EXISTS "${bare.members}_failed"`,
        `CREATE INDEX "${bare.members}_failed" ON ${t.members} (batch) WHERE state = 'failed'`,
        `ALTER TABLE ${t.members} SET (fillfactor = 45)`,
      ],
    ],
    drop: [t.members, t.batches].map(dropTable),
  };
}

function dropTable(table: string): string {
  return `DROP TABLE IF EXISTS ${table}`;
}
