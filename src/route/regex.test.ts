/** Regular expressions: what they match, where their groups lie, and what is refused and why. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Regex } from "./regex.ts";
import { RegexError } from "./regex-syntax.ts";

const bytesOf = (text: string) => new Uint8Array(Buffer.from(text, "latin1"));

/** What V8 says too. */
const SAME: readonly (readonly [source: string, ...inputs: string[]])[] = [
  ["", "", "a"],
  ["/a/(\\d+)/b", "/a/12/b", "/a//b", "/a/x/b", "x/a/1/b", "/a/1/bx"],
  ["(a|b)*c", "ababc", "c", "ab", "abca"],
  ["a{2,4}b?", "a", "aa", "aaaab", "aaaaab"],
  ["a{2}", "a", "aa", "aaa"],
  ["a{2,}", "a", "aaaaaa"],
  ["/x/(?<id>[^/]+)(/.*)?", "/x/7", "/x/7/y/z", "/x/"],
  ["(a*)(a*)", "aaa"],
  ["(a*?)(a*)", "aaa"],
  ["(a|ab)(c|bcd)(d*)", "abcd"],
  ["(a??)(a?)", "a", "aa"],
  ["a+?b+", "aab", "b"],
  ["[a-c-]+", "a-c", "d"],
  ["[^a-c]", "a", "d", "\n"],
  ["[\\d.x-]+", "1.-x", "a"],
  ["[\\]\\\\]+", "]\\", "a"],
  ["\\.\\/\\x41", "./A", "a/A"],
  ["\\w+\\s\\S\\D\\W", "a_1 xx-", "a xx_"],
  ["/(en|de)/.+", "/en/x", "/fr/x", "/de/"],
  ["(?:|a)b", "b", "ab"],
  ["^/a$", "/a", "/ab"],
  ["a\\$", "a$", "a"],
  ["((a)|b)+", "ab", "ba"],
  [".", "a", "\n", "\u00ff", ""],
];

test("regex: matches what V8 matches, with the same groups", () => {
  for (const [source, ...inputs] of SAME) {
    const regex = new Regex(source);
    const theirs = new RegExp(`^(?:${source})$`, "s");
    for (const input of inputs) {
      const memory = bytesOf(`<<${input}>>`);
      const expected = theirs.exec(input);
      assert.equal(regex.test(memory, 2, memory.length - 2), expected !== null, `${source} on ${input}`);
      if (expected === null || source.includes(")+")) continue;
      regex.locate(memory, 2, memory.length - 2);
      const groups = Array.from(expected, (_, group) => {
        const start = regex.groups[2 * group]!;
        return start < 0 ? undefined : input.slice(start - 2, regex.groups[2 * group + 1]! - 2);
      });
      assert.deepEqual(groups, [...expected], `groups of ${source} on ${input}`);
    }
  }
});

test("regex: a group in a repetition keeps what it took last, unlike in JavaScript", () => {
  const regex = new Regex("(?:(a)|b)+");
  regex.locate(bytesOf("ab"), 0, 2);
  assert.deepEqual([...regex.groups], [0, 2, 0, 1]);
});

test("regex: (?i) folds ASCII case, also within and against classes", () => {
  const regex = new Regex("(?i)/Foo[a-c][^x]");
  for (const [input, expected] of [
    ["/fOOB1", true],
    ["/fooby", true],
    ["/foobX", false],
    ["/food1", false],
  ] as const)
    assert.equal(regex.test(bytesOf(input), 0, input.length), expected, input);
});

const REFUSED: readonly (readonly [source: string, reason: RegExp, offset: number])[] = [
  ["(a", /\( without/, 0],
  ["a)", /\) without/, 1],
  ["x[a", /\[ without/, 1],
  ["[]", /empty class/, 0],
  ["[b-a]", /range/, 2],
  ["[\\d-a]", /range/, 3],
  ["a**", /two quantifiers/, 2],
  ["a++", /possessive/, 2],
  ["*a", /nothing to repeat/, 0],
  ["a|{2}", /nothing to repeat/, 2],
  ["a{x", /begins no repetition/, 1],
  ["a{3,2}", /end is before/, 0],
  ["a{300}", /255 times/, 0],
  ["(?=a)", /one pass/, 0],
  ["(?<!a)", /one pass/, 0],
  ["(a)\\1", /back reference/, 3],
  ["\\bx", /\\b/, 0],
  ["\\x4", /two hexadecimal/, 0],
  ["a\\", /ends in a backslash/, 1],
  ["a$b", /\$ within/, 1],
  ["a^", /\^ within/, 1],
  ["/é", /not ASCII/, 1],
  ["(?<a>x)(?<a>y)", /two groups named a/, 7],
  ["(a|b|c)*a(a|b|c){12}", /too many ways/, 0],
  ["(a{200}){200}", /too long/, 0],
  ["(".repeat(60) + ")".repeat(60), /groups|deeply/, -1],
];

test("regex: what is refused, and where", () => {
  for (const [source, reason, offset] of REFUSED)
    assert.throws(
      () => new Regex(source),
      (error) =>
        error instanceof RegexError && reason.test(error.message) && (offset < 0 || error.offset === offset),
      `${source} ${String(reason)}`,
    );
});

test("regex: what makes other engines hang takes one step per byte", () => {
  const regex = new Regex("(?:(?:a+)+)+b");
  const memory = bytesOf("a".repeat(50_000));
  assert.equal(regex.test(memory, 0, memory.length), false);
});
