// What both transforms need of an AssemblyScript syntax tree: places to insert text at, and which expressions must stay constants.
import { LiteralKind, Node, NodeKind, SourceKind, Token } from 'assemblyscript';

export { LiteralKind, NodeKind, Token };

/** Insertions into one text. Around one place, what was asked for first ends up outermost. */
export class Insertions {
  #all = [];

  before(at, text) {
    this.#all.push({ at, text, opens: true, order: this.#all.length });
  }

  after(at, text) {
    this.#all.push({ at, text, opens: false, order: this.#all.length });
  }

  around(start, end, open, close) {
    this.before(start, open);
    this.after(end, close);
  }

  into(text) {
    const sorted = this.#all.sort(
      (a, b) => a.at - b.at || Number(a.opens) - Number(b.opens) || (a.opens ? a.order - b.order : b.order - a.order),
    );
    let from = 0;
    let result = '';
    for (const insertion of sorted) {
      result += text.slice(from, insertion.at) + insertion.text;
      from = insertion.at;
    }
    return result + text.slice(from);
  }
}

export const isProjectSource = (source) => source.sourceKind === SourceKind.User || source.sourceKind === SourceKind.UserEntry;

export const textOf = (node) => node.range.source.text.slice(node.range.start, node.range.end);

/** Where the node begins: 1-based line and column. */
export function placeOf(node) {
  const { source, start } = node.range;
  const line = source.lineAt(start);
  return { file: source.normalizedPath, line, column: source.columnAt() };
}

const NOT_CODE = new Set([
  NodeKind.NamedType,
  NodeKind.FunctionType,
  NodeKind.TypeParameter,
  NodeKind.Parameter,
  NodeKind.Decorator,
  NodeKind.Import,
  NodeKind.Export,
  NodeKind.EnumDeclaration,
  NodeKind.InterfaceDeclaration,
  NodeKind.FieldDeclaration,
]);

/** Builtins whose arguments from some position on are part of the instruction (offsets, lanes, static data). */
const IMMEDIATES = [
  [/^(?:memory\.data|sizeof|alignof|offsetof|isInteger|isConstant|i8x16|i16x8|i32x4|i64x2|f32x4|f64x2)$/, 0],
  [/^(?:\w+\.)?load\d*(?:_lane)/, 0],
  [/^(?:\w+\.)?store\d*(?:_lane)/, 0],
  [/(?:^|[._])extract_lane(?:_[su])?$/, 1],
  [/(?:^|[._])replace_lane$/, 1],
  [/(?:^|\.)shuffle$/, 2],
  [/^(?:[a-z]\w*\.)?load(?:\d\w*|_splat|_zero|_ext)?$/, 1],
  [/^(?:[a-z]\w*\.)?store(?:\d\w*)?$/, 2],
];

/** The arguments of a call that may be rewritten. */
export function freeArguments(call) {
  const name = textOf(call.expression);
  const rule = IMMEDIATES.find(([pattern]) => pattern.test(name));
  return rule ? call.args.slice(0, rule[1]) : call.args;
}

/** Child nodes in source order that hold code; a top-level variable's initializer stays a constant. */
export function children(node) {
  if (node.kind === NodeKind.Call) return [node.expression, ...freeArguments(node)];
  const found = [];
  for (const [name, value] of Object.entries(node)) {
    if (name === 'range') continue;
    for (const child of Array.isArray(value) ? value : [value]) {
      if (child instanceof Node && !NOT_CODE.has(child.kind)) found.push(child);
    }
  }
  return found.sort((a, b) => a.range.start - b.range.start);
}

/** Statements of a file that run when the module starts; declarations are left out but for their bodies. */
export const isGlobalVariable = (statement) => statement.kind === NodeKind.Variable;

const SEMICOLON = /\s*;/y;
const LAST_PART = {
  [NodeKind.If]: (s) => s.ifFalse ?? s.ifTrue,
  [NodeKind.While]: (s) => s.body,
  [NodeKind.For]: (s) => s.body,
  [NodeKind.ForOf]: (s) => s.body,
};

/** Behind the statement's semicolon, which the tree leaves out here and there. */
export function endOf(statement) {
  const last = LAST_PART[statement.kind];
  if (last) return endOf(last(statement));
  if (statement.kind === NodeKind.Block || statement.kind === NodeKind.Switch) return statement.range.end;
  const { source, end } = statement.range;
  if (source.text[end - 1] === ';') return end;
  SEMICOLON.lastIndex = end;
  return end + (SEMICOLON.exec(source.text)?.[0].length ?? 0);
}

/** Behind the opening brace of a block or a switch. */
export const insideOf = (node, from = node.range.start) => node.range.source.text.indexOf('{', from) + 1;
