// Prints what the npm package exports to its users, one JSON object a line: {name, kind, deprecated}.
// A member is named `Class.member`; inherited members stand under the class that declares them.
import ts from 'typescript';

const folder = 'node_modules/bullmq/dist/esm/';
const program = ts.createProgram([`${folder}index.d.ts`], {
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  target: ts.ScriptTarget.ES2022,
  skipLibCheck: true,
  types: [],
});
const checker = program.getTypeChecker();
const root = checker.getSymbolAtLocation(program.getSourceFile(`${folder}index.d.ts`));
const HIDDEN = ts.ModifierFlags.Private | ts.ModifierFlags.Protected;

const own = (symbol) =>
  (symbol.declarations ?? []).filter((each) => each.getSourceFile().fileName.includes('/bullmq/dist/'));
const tags = (symbol) => new Set(symbol.getJsDocTags(checker).map((tag) => tag.name));
const shown = (symbol) =>
  own(symbol).some((each) => !(ts.getCombinedModifierFlags(each) & HIDDEN)) &&
  !tags(symbol).has('internal') &&
  !symbol.name.startsWith('__') &&
  !symbol.name.startsWith('#');
const print = (name, kind, symbol) =>
  console.log(JSON.stringify({ name, kind, deprecated: tags(symbol).has('deprecated') }));

// The members that this class, interface or type declares itself, in all parts of a union.
const members = (symbol) => {
  const found = new Map();
  const take = (each) => shown(each) && found.set(each.name, each);
  if (symbol.flags & (ts.SymbolFlags.Class | ts.SymbolFlags.Interface)) {
    symbol.members?.forEach(take);
    symbol.exports?.forEach((each) => each.name !== 'prototype' && take(each));
  } else if (symbol.flags & ts.SymbolFlags.TypeAlias) {
    const declared = own(symbol).map((each) => each.type);
    const literals = (node) => {
      if (ts.isTypeLiteralNode(node)) node.members.forEach((each) => each.symbol && take(each.symbol));
      else if (ts.isUnionTypeNode(node) || ts.isIntersectionTypeNode(node)) node.types.forEach(literals);
      else if (ts.isParenthesizedTypeNode(node)) literals(node.type);
    };
    declared.forEach(literals);
  } else if (symbol.flags & ts.SymbolFlags.Enum) {
    symbol.exports.forEach(take);
  }
  return [...found.values()].filter((each) => each.flags & (ts.SymbolFlags.ClassMember | ts.SymbolFlags.EnumMember));
};

const kinds = [
  [ts.SymbolFlags.Class, 'class'],
  [ts.SymbolFlags.Interface, 'interface'],
  [ts.SymbolFlags.Enum, 'enum'],
  [ts.SymbolFlags.TypeAlias, 'type'],
  [ts.SymbolFlags.Function, 'function'],
  [ts.SymbolFlags.Variable, 'constant'],
  [ts.SymbolFlags.Method, 'method'],
  [ts.SymbolFlags.Accessor | ts.SymbolFlags.Property, 'property'],
  [ts.SymbolFlags.EnumMember, 'value'],
];
const kind = (symbol) => kinds.find(([flag]) => symbol.flags & flag)?.[1] ?? 'other';

for (const exported of checker.getExportsOfModule(root)) {
  const symbol = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported;
  if (tags(symbol).has('internal') || exported.name === 'default') continue;
  print(exported.name, kind(symbol), symbol);
  for (const member of members(symbol)) print(`${exported.name}.${member.name}`, kind(member), member);
}
