import type {
  AnonymousFunctionDeclaration,
  AnyNode,
  ArrowFunctionExpression,
  FunctionDeclaration,
  FunctionExpression,
  Pattern,
  SwitchStatement,
} from 'acorn';

/** Something a function takes from around it. Lines count from 1, columns from 0. */
export interface FreeName {
  /** As it is written: `mailer`, `this`, `import()`. */
  readonly name: string;
  readonly line: number;
  readonly column: number;
}

/** The names that one stretch of code declares, and what is around it. */
interface Scope {
  readonly names: ReadonlySet<string>;
  /** Has a `this` of its own: a function that is no arrow, a class. */
  readonly ownThis: boolean;
  readonly outer: Scope | undefined;
}

type FunctionNode = FunctionDeclaration | AnonymousFunctionDeclaration | FunctionExpression | ArrowFunctionExpression;
type Visit = (node: AnyNode, scope: Scope) => void;

/** What a function takes from around it, in the order in which it stands there. Its source has to be parsed with locations. */
export function freeNames(fn: FunctionNode): readonly FreeName[] {
  const found: FreeName[] = [];
  const take = (name: string, { loc }: AnyNode): void => {
    found.push({ name, line: loc!.start.line, column: loc!.start.column });
  };
  const visit: Visit = (node, scope) => {
    switch (node.type) {
      case 'Identifier':
        if (!declared(node.name, scope)) take(node.name, node);
        return;
      case 'ThisExpression':
        if (!hasThis(scope)) take('this', node);
        return;
      case 'ImportExpression':
        take('import()', node);
        break;
      case 'MetaProperty':
        if (node.meta.name === 'import') take('import.meta', node);
        return;
      case 'FunctionDeclaration':
      case 'FunctionExpression':
      case 'ArrowFunctionExpression':
        return visitFunction(node, scope, visit);
      case 'ClassDeclaration':
      case 'ClassExpression': {
        const inner: Scope = { names: new Set(node.id ? [node.id.name] : []), ownThis: false, outer: scope };
        if (node.superClass) visit(node.superClass, inner);
        for (const member of node.body.body) visitMember(member, inner, visit);
        return;
      }
      case 'BlockStatement':
      case 'StaticBlock':
        return visitAll(node.body, within(lexical(node.body), scope), visit);
      case 'SwitchStatement':
        return visitSwitch(node, scope, visit);
      case 'ForStatement':
        return visitChildren(node, within(lexical(node.init ? [node.init] : []), scope), visit);
      case 'ForInStatement':
      case 'ForOfStatement':
        return visitChildren(node, within(lexical([node.left]), scope), visit);
      case 'CatchClause': {
        const inner = within(node.param ? bound(node.param) : [], scope);
        if (node.param) visit(node.param, inner);
        return visit(node.body, inner);
      }
      case 'MemberExpression':
        visit(node.object, scope);
        if (node.computed) visit(node.property, scope);
        return;
      case 'Property':
        if (node.computed) visit(node.key, scope);
        return visit(node.value, scope);
      case 'LabeledStatement':
        return visit(node.body, scope);
      case 'BreakStatement':
      case 'ContinueStatement':
        return;
      default:
    }
    visitChildren(node, scope, visit);
  };
  visit(fn, { names: new Set(), ownThis: false, outer: undefined });
  return found;
}

function declared(name: string, scope: Scope | undefined): boolean {
  for (let one = scope; one; one = one.outer) if (one.names.has(name)) return true;
  return false;
}

function hasThis(scope: Scope | undefined): boolean {
  for (let one = scope; one; one = one.outer) if (one.ownThis) return true;
  return false;
}

function within(names: Iterable<string>, outer: Scope, ownThis = false): Scope {
  return { names: new Set(names), ownThis, outer };
}

/** Parameters do not see what the body declares, so they have a scope of their own around it. */
function visitFunction(fn: FunctionNode, outer: Scope, visit: Visit): void {
  const arrow = fn.type === 'ArrowFunctionExpression';
  // The function that is looked at has nothing around it: a `this` or `arguments` of its own would be nobody's.
  const own = !arrow && outer.outer !== undefined;
  const names = [...fn.params.flatMap(bound), ...(fn.id ? [fn.id.name] : []), ...(own ? ['arguments'] : [])];
  const inner = within(names, outer, own);
  visitAll(fn.params, inner, visit);
  if (fn.body.type !== 'BlockStatement') return visit(fn.body, inner);
  visitAll(fn.body.body, within([...lexical(fn.body.body), ...hoisted(fn.body)], inner), visit);
}

/** A computed key is looked at outside the member, whose value has the class's own `this`. */
function visitMember(member: AnyNode, scope: Scope, visit: Visit): void {
  if (member.type === 'StaticBlock') return visit(member, within(hoisted(member), scope, true));
  if (member.type !== 'MethodDefinition' && member.type !== 'PropertyDefinition') return visit(member, scope);
  if (member.computed) visit(member.key, scope);
  if (member.value) visit(member.value, within([], scope, true));
}

function visitSwitch(node: SwitchStatement, scope: Scope, visit: Visit): void {
  visit(node.discriminant, scope);
  const inner = within(lexical(node.cases.flatMap((one) => one.consequent)), scope);
  for (const one of node.cases) {
    if (one.test) visit(one.test, inner);
    visitAll(one.consequent, inner, visit);
  }
}

function visitAll(nodes: readonly AnyNode[], scope: Scope, visit: Visit): void {
  for (const node of nodes) visit(node, scope);
}

function visitChildren(node: AnyNode, scope: Scope, visit: Visit): void {
  for (const child of childrenOf(node)) visit(child, scope);
}

function childrenOf(node: AnyNode): AnyNode[] {
  return Object.values(node).flatMap((value: unknown) => (Array.isArray(value) ? value : [value]).filter(isNode));
}

function isNode(value: unknown): value is AnyNode {
  return typeof value === 'object' && value !== null && typeof (value as { type?: unknown }).type === 'string';
}

/** What the statements of one block declare for it alone. Strict code keeps functions in their block too. */
function lexical(statements: readonly AnyNode[]): string[] {
  return statements.flatMap((one) => {
    if (one.type === 'VariableDeclaration' && one.kind !== 'var')
      return one.declarations.flatMap(({ id }) => bound(id));
    return one.type === 'FunctionDeclaration' || one.type === 'ClassDeclaration' ? [one.id!.name] : [];
  });
}

/** What `var` declares anywhere in a function's body, functions inside it left out. */
function hoisted(node: AnyNode): string[] {
  return childrenOf(node).flatMap((child) => {
    if (child.type === 'FunctionDeclaration' || child.type === 'FunctionExpression') return [];
    if (child.type === 'ArrowFunctionExpression' || child.type === 'StaticBlock') return [];
    const own = child.type === 'VariableDeclaration' && child.kind === 'var';
    return [...(own ? child.declarations.flatMap(({ id }) => bound(id)) : []), ...hoisted(child)];
  });
}

/** The names that a pattern binds. */
function bound(pattern: Pattern): string[] {
  switch (pattern.type) {
    case 'Identifier':
      return [pattern.name];
    case 'ObjectPattern':
      return pattern.properties.flatMap((one) => bound(one.type === 'Property' ? one.value : one.argument));
    case 'ArrayPattern':
      return pattern.elements.flatMap((one) => (one ? bound(one) : []));
    case 'RestElement':
      return bound(pattern.argument);
    case 'AssignmentPattern':
      return bound(pattern.left);
    default:
      return [];
  }
}
