import 'reflect-metadata';

const WITHOUT_RELATIONS = Symbol.for('nestjs-queue:without-relations');
const marked = new WeakSet<object>();

/**
 * Marks an entity so that jobs carry it by its key alone; the relations it has loaded are not fetched again when the job runs. Gives
 * the entity itself back. The mark stays with this instance.
 */
export function withoutRelations<E extends object>(entity: E): E {
  marked.add(entity);
  return entity;
}

export function isWithoutRelations(entity: object): boolean {
  return marked.has(entity);
}

/**
 * On a job class: none of its entities takes its relations along. On a field: the entities in that field do not. Subclasses inherit
 * both. For a constructor's property use `withoutRelations(entity)`.
 */
export function WithoutRelations(): ClassDecorator & PropertyDecorator {
  return (target: object, field?: string | symbol) => {
    if (field === undefined) Reflect.defineMetadata(WITHOUT_RELATIONS, true, target);
    else Reflect.defineMetadata(WITHOUT_RELATIONS, true, target, field);
  };
}

/** Whether entities in this field of this job class travel without their relations. */
export function relationsDropped(jobClass: Function, field: string): boolean {
  return (
    Reflect.getMetadata(WITHOUT_RELATIONS, jobClass) === true ||
    Reflect.getMetadata(WITHOUT_RELATIONS, jobClass.prototype as object, field) === true
  );
}
