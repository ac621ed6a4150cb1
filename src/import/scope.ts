/**
 * A block with those around it. A directive counts from the innermost block that has it, and as a whole: two
 * `add_header` of a location replace all of its server.
 */
import type { Directive } from "./nginx-grammar.ts";

export class Scope {
  readonly directive: Directive | null;
  readonly directives: readonly Directive[];
  readonly outer: Scope | null;

  constructor(directive: Directive | null, directives: readonly Directive[], outer: Scope | null) {
    this.directive = directive;
    this.directives = directives;
    this.outer = outer;
  }

  /** The scope of a block within this one. */
  inner(directive: Directive): Scope {
    return new Scope(directive, directive.block ?? [], this);
  }

  /** Those of this block alone. */
  own(...names: readonly string[]): Directive[] {
    return this.directives.filter(({ name }) => names.includes(name));
  }

  /** The last of this block alone. */
  ownLast(name: string): Directive | undefined {
    return this.own(name).at(-1);
  }

  /** Those of the innermost block that has any. */
  inherited(...names: readonly string[]): Directive[] {
    const own = this.own(...names);
    return own.length > 0 || this.outer === null ? own : this.outer.inherited(...names);
  }

  /** The one that counts here. */
  last(name: string): Directive | undefined {
    return this.inherited(name).at(-1);
  }

  /** This block and those around it, the innermost first. */
  chain(): Scope[] {
    return [this, ...(this.outer?.chain() ?? [])];
  }
}
