// The counting transform: marks every function, statement and branch arm of assembly/ that a machine reaches.
import { compile } from './compile.mjs';
import { children, endOf, Insertions, insideOf, isGlobalVariable, NodeKind, placeOf, Token, textOf } from './syntax.mjs';

/** The first time an instance passes a point it tells its host; from then on the point costs a load and a branch. */
const runtime = (points) => `
@external("env", "covered")
declare function __covered(point: i32): void;
@global const __points: usize = memory.data(${Math.max(points, 1)});
@global function __cov(point: i32): void {
  if (load<u8>(__points + <usize>point) != 0) return;
  store<u8>(__points + <usize>point, 1);
  __covered(point);
}
`;

const SILENT = new Set([
  NodeKind.Block,
  NodeKind.Empty,
  NodeKind.FunctionDeclaration,
  NodeKind.ClassDeclaration,
  NodeKind.Import,
  NodeKind.Export,
  NodeKind.TypeDeclaration,
]);

/** Rewrites one source; what it may count goes to `points`. */
class Counter {
  #points;
  #edits = new Insertions();
  #blocks;

  constructor(points, blocks) {
    this.#points = points;
    this.#blocks = blocks;
  }

  rewrite(source) {
    for (const statement of source.statements) {
      const isCode = statement.kind === NodeKind.Expression || statement.kind === NodeKind.If || statement.kind === NodeKind.For;
      if (isCode) this.#statements([statement]);
      else if (!isGlobalVariable(statement)) this.#walk(statement);
    }
    return this.#edits.into(source.text);
  }

  #point(node, kind, rest = {}) {
    this.#points.push({ kind, ...placeOf(node), ...rest });
    return `__cov(${this.#points.length - 1})`;
  }

  #arm(node, block, name) {
    return this.#point(node, 'branch', { block, name });
  }

  #statements(list) {
    for (const statement of list) {
      if (!SILENT.has(statement.kind)) this.#edits.before(statement.range.start, `${this.#point(statement, 'statement')};`);
      this.#walk(statement);
    }
  }

  /** The one statement of an arm or a loop, as a block that begins with `point`. */
  #body(statement, point) {
    if (statement.kind === NodeKind.Block) {
      this.#edits.before(statement.range.start + 1, `${point};`);
      this.#statements(statement.statements);
    } else {
      this.#edits.around(statement.range.start, endOf(statement), `{${point};`, '}');
      this.#statements([statement]);
    }
  }

  #walk(node) {
    const own = this.#BY_KIND[node.kind];
    if (own) own(node);
    else for (const child of children(node)) this.#walk(child);
  }

  #function = (node) => {
    if (node.body?.kind !== NodeKind.Block) return;
    this.#edits.before(node.body.range.start + 1, `${this.#point(node.name, 'function', { name: textOf(node.name) })};`);
    this.#statements(node.body.statements);
  };

  #if = (node) => {
    const block = this.#blocks.next++;
    if (!node.ifFalse) this.#edits.after(endOf(node), ` else {${this.#arm(node, block, 'else (none)')};}`);
    this.#walk(node.condition);
    this.#body(node.ifTrue, this.#arm(node.ifTrue, block, 'then'));
    if (node.ifFalse) this.#body(node.ifFalse, this.#arm(node.ifFalse, block, 'else'));
  };

  #loop = (node) => {
    for (const part of [node.initializer, node.condition, node.incrementor]) if (part) this.#walk(part);
    this.#body(node.body, this.#arm(node, this.#blocks.next++, 'loop body'));
  };

  #switch = (node) => {
    const block = this.#blocks.next++;
    this.#walk(node.condition);
    if (!node.cases.some((c) => c.isDefault)) {
      const open = insideOf(node, node.condition.range.end);
      this.#edits.before(open, ` default: {${this.#arm(node, block, 'default (none)')}; break;}`);
    }
    for (const one of node.cases) {
      const colon = node.range.source.text.indexOf(':', one.label ? one.label.range.end : one.range.start) + 1;
      this.#edits.before(
        colon,
        ` ${this.#arm(one.label ?? one, block, one.isDefault ? 'default' : `case ${textOf(one.label)}`)};`,
      );
      this.#statements(one.statements);
    }
  };

  #expressionArm(node, block, name) {
    this.#edits.around(node.range.start, node.range.end, `(${this.#arm(node, block, name)}, `, ')');
    this.#walk(node);
  }

  #ternary = (node) => {
    const block = this.#blocks.next++;
    this.#walk(node.condition);
    this.#expressionArm(node.ifThen, block, '? arm');
    this.#expressionArm(node.ifElse, block, ': arm');
  };

  #binary = (node) => {
    const operator = { [Token.Ampersand_Ampersand]: '&&', [Token.Bar_Bar]: '||' }[node.operator];
    this.#walk(node.left);
    if (operator) this.#expressionArm(node.right, this.#blocks.next++, `right of ${operator}`);
    else this.#walk(node.right);
  };

  #BY_KIND = {
    [NodeKind.FunctionDeclaration]: this.#function,
    [NodeKind.MethodDeclaration]: this.#function,
    [NodeKind.Block]: (node) => this.#statements(node.statements),
    [NodeKind.If]: this.#if,
    [NodeKind.For]: this.#loop,
    [NodeKind.While]: this.#loop,
    [NodeKind.Do]: this.#loop,
    [NodeKind.Switch]: this.#switch,
    [NodeKind.Ternary]: this.#ternary,
    [NodeKind.Binary]: this.#binary,
  };
}

/**
 * Compiles with counters. The module imports `env.covered(point)`, called the first time an instance passes a point.
 * Returns the binary and the points: {kind: 'function' | 'statement' | 'branch', file, line, column, name?, block?}.
 */
export async function compileCounting(args, files) {
  const points = [];
  const blocks = { next: 0 };
  const rewrite = (source) => new Counter(points, blocks).rewrite(source);
  const binary = await compile(args, { rewrite, runtime: () => runtime(points.length), files });
  return { binary, points };
}
