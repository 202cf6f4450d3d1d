// The transform with switches: all mutants of assembly/ in one module, of which an imported global chooses one.
import { compile } from './compile.mjs';
import { children, endOf, Insertions, isGlobalVariable, LiteralKind, NodeKind, placeOf, Token, textOf } from './syntax.mjs';

/**
 * `mutant`: the one that is on; 0 none; -1 none, but the host is told of every mutant whose place an instance passes.
 * `fuel`: loop rounds and calls that are left, shared by all instances of one test: a mutant may loop for ever.
 */
const runtime = (mutants) => `
@external("env", "mutant")
declare const __mutant: i32;
@external("env", "fuel")
declare let __fuel: i64;
@external("env", "passed")
declare function __passed(mutant: i32): void;
@external("env", "exhausted")
declare function __exhausted(): void;
@global const __seen: usize = memory.data(${mutants + 1});
@global function __is(mutant: i32): bool {
  if (__mutant < 0 && load<u8>(__seen + <usize>mutant) == 0) {
    store<u8>(__seen + <usize>mutant, 1);
    __passed(mutant);
  }
  return __mutant == mutant;
}
@global function __burn(): void {
  __fuel -= 1;
  if (__fuel < 0) __exhausted();
}
`;

const SWAPS = {
  [Token.Plus]: ['+', '-'],
  [Token.Minus]: ['-', '+'],
  [Token.Asterisk]: ['*', '+'],
  [Token.Slash]: ['/', '*'],
  [Token.Percent]: ['%', '*'],
  [Token.LessThan]: ['<', '<='],
  [Token.LessThan_Equals]: ['<=', '<'],
  [Token.GreaterThan]: ['>', '>='],
  [Token.GreaterThan_Equals]: ['>=', '>'],
  [Token.Equals_Equals]: ['==', '!='],
  [Token.Exclamation_Equals]: ['!=', '=='],
  [Token.Ampersand]: ['&', '|'],
  [Token.Bar]: ['|', '&'],
  [Token.Caret]: ['^', '&'],
  [Token.LessThan_LessThan]: ['<<', '>>'],
  [Token.GreaterThan_GreaterThan]: ['>>', '<<'],
  [Token.GreaterThan_GreaterThan_GreaterThan]: ['>>>', '<<'],
  [Token.Ampersand_Ampersand]: ['&&', '||'],
  [Token.Bar_Bar]: ['||', '&&'],
  [Token.Plus_Equals]: ['+=', '-='],
  [Token.Minus_Equals]: ['-=', '+='],
  [Token.Asterisk_Equals]: ['*=', '+='],
  [Token.Ampersand_Equals]: ['&=', '|='],
  [Token.Bar_Equals]: ['|=', '&='],
  [Token.Caret_Equals]: ['^=', '&='],
  [Token.LessThan_LessThan_Equals]: ['<<=', '>>='],
  [Token.GreaterThan_GreaterThan_Equals]: ['>>=', '<<='],
  [Token.Plus_Plus]: ['++', '--'],
  [Token.Minus_Minus]: ['--', '++'],
};
const EQUALITIES = new Set([Token.Equals_Equals, Token.Exclamation_Equals]);
/** Calls after which the compiler knows that nothing runs: it would miss a return without them. */
const ENDS = /^(?:abort|unreachable)$/;

const unwrapped = (node) => (node.kind === NodeKind.Parenthesized ? unwrapped(node.expression) : node);

/** Rewrites one source; what can be switched goes to `mutants` (index + 1 is the number). */
class Switcher {
  #mutants;
  #edits = new Insertions();
  #constants = new Set();

  constructor(mutants) {
    this.#mutants = mutants;
  }

  rewrite(source) {
    for (const statement of source.statements) if (!isGlobalVariable(statement)) this.#walk(statement);
    return this.#edits.into(source.text);
  }

  #number(node, to, from = textOf(node)) {
    this.#mutants.push({ ...placeOf(node), from, to });
    return this.#mutants.length;
  }

  /** `original` becomes `__is(n) ? mutated : original`. */
  #replace(node, to) {
    this.#edits.around(node.range.start, node.range.end, `(__is(${this.#number(node, to)}) ? (${to}) : (`, '))');
  }

  /** The statement's expression runs unless the mutant is on. */
  #skip(node) {
    this.#edits.around(node.range.start, node.range.end, `__is(${this.#number(node, '(removed)')}) || (`, ', true)');
  }

  #walk(node) {
    this.#OWN[node.kind]?.(node);
    for (const child of children(node)) this.#walk(child);
  }

  #function = ({ body }) => {
    if (body?.kind === NodeKind.Block) this.#edits.before(body.range.start + 1, '__burn();');
  };

  #loop = ({ body, condition }) => {
    if (body.kind === NodeKind.Block) this.#edits.before(body.range.start + 1, '__burn();');
    else this.#edits.around(body.range.start, endOf(body), '{__burn();', '}');
    if (!condition) return;
    // The compiler must go on to see that `while (true)` never falls through.
    if (condition.kind === NodeKind.True) this.#constants.add(condition);
    else this.#negate(condition);
  };

  #negate(condition) {
    const inner = unwrapped(condition);
    const sameAsSwap = inner.kind === NodeKind.Binary && EQUALITIES.has(inner.operator);
    const sameAsInner = inner.kind === NodeKind.UnaryPrefix && inner.operator === Token.Exclamation;
    if (!sameAsSwap && !sameAsInner) this.#replace(condition, `!(${textOf(condition)})`);
  }

  #binary = (node) => {
    const swap = SWAPS[node.operator];
    if (swap) this.#replace(node, `(${textOf(node.left)}) ${swap[1]} (${textOf(node.right)})`);
  };

  /** In a compound assignment the left side is a place: it takes no parentheses. */
  #assignment = (node) => {
    const swap = SWAPS[node.operator];
    if (swap) this.#replace(node, `${textOf(node.left)} ${swap[1]} ${textOf(node.right)}`);
  };

  #prefix = (node) => {
    const operand = textOf(node.operand);
    const swap = SWAPS[node.operator];
    if (node.operator === Token.Plus_Plus || node.operator === Token.Minus_Minus) this.#replace(node, `${swap[1]}${operand}`);
    else if ([Token.Exclamation, Token.Tilde, Token.Minus].includes(node.operator)) {
      this.#replace(node, node.operator === Token.Exclamation ? `!!(${operand})` : `(${operand})`);
    }
  };

  #literal = (node) => {
    if (node.literalKind !== LiteralKind.Integer) return;
    const value = BigInt(textOf(node).replaceAll('_', ''));
    const to = value === 1n ? 0n : value + 1n;
    // The largest value of a type has no successor.
    if (((value + 1n) & value) === 0n && value > 0xffn) return;
    this.#replace(node, String(to));
  };

  #expression = ({ expression }) => {
    const inner = unwrapped(expression);
    if (inner.kind === NodeKind.Call && !ENDS.test(textOf(inner.expression))) this.#skip(expression);
    if (inner.kind === NodeKind.Binary && inner.operator === Token.Equals) this.#skip(expression);
  };

  #OWN = {
    [NodeKind.FunctionDeclaration]: this.#function,
    [NodeKind.MethodDeclaration]: this.#function,
    [NodeKind.For]: this.#loop,
    [NodeKind.While]: this.#loop,
    [NodeKind.Do]: this.#loop,
    [NodeKind.If]: ({ condition }) => this.#negate(condition),
    [NodeKind.Ternary]: ({ condition }) => this.#negate(condition),
    [NodeKind.Binary]: (node) => (isAssignment(node) ? this.#assignment(node) : this.#binary(node)),
    [NodeKind.UnaryPrefix]: this.#prefix,
    [NodeKind.UnaryPostfix]: (node) => this.#replace(node, `${textOf(node.operand)}${SWAPS[node.operator][1]}`),
    [NodeKind.True]: (node) => this.#constants.has(node) || this.#replace(node, 'false'),
    [NodeKind.False]: (node) => this.#replace(node, 'true'),
    [NodeKind.Literal]: this.#literal,
    [NodeKind.Expression]: this.#expression,
  };
}

const isAssignment = ({ operator }) => operator >= Token.Equals && operator <= Token.Caret_Equals;

/**
 * Compiles with all mutants of the sources that `isChosen(path)`. The module imports `env.mutant`, `env.fuel`, `env.passed(mutant)` and `env.exhausted()`.
 * Returns the binary and the mutants: {file, line, column, from, to}; number n of the switch is mutants[n - 1].
 */
export async function compileSwitching(args, { isChosen = () => true, files } = {}) {
  const mutants = [];
  // A file without switches stays as fast as it is.
  const rewrite = (source) => (isChosen(source.normalizedPath) ? new Switcher(mutants).rewrite(source) : source.text);
  const binary = await compile(args, { rewrite, runtime: () => runtime(mutants.length), files });
  return { binary, mutants };
}
