/**
 * The parts of TypeORM that entity references use, by shape: an application without TypeORM still type-checks.
 */
export interface DataSourceLike {
  /** Nest's name for it; TypeORM 1 keeps it in the options, if anywhere. */
  readonly name?: string;
  readonly options: object;
  readonly entityMetadatas: readonly EntityMetadataLike[];
  hasMetadata(target: Function): boolean;
  getMetadata(target: Function): EntityMetadataLike;
  getRepository(target: any): { find(options: object): Promise<object[]> };
  createQueryRunner(mode: 'master'): QueryRunnerLike;
}

export interface QueryRunnerLike {
  readonly manager: { getRepository(target: any): { find(options: object): Promise<object[]> } };
  release(): Promise<void>;
}

export interface EntityMetadataLike {
  readonly name: string;
  readonly tablePath: string;
  readonly target: Function | string;
  readonly isJunction: boolean;
  readonly primaryColumns: readonly ColumnLike[];
  readonly relations: readonly RelationLike[];
  readonly deleteDateColumn?: object;
}

export interface ColumnLike {
  readonly propertyName: string;
  readonly propertyPath: string;
  /** On a column that a relation brings. */
  readonly relationMetadata?: { readonly propertyName: string };
  readonly referencedColumn?: ColumnLike;
  getEntityValue(entity: any): unknown;
}

export interface RelationLike {
  readonly propertyPath: string;
  readonly isLazy: boolean;
  /** Of what it leads to. */
  readonly inverseEntityMetadata: EntityMetadataLike;
  getEntityValue(entity: any): unknown;
}
