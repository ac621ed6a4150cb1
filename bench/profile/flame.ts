/** Stacks as a flame graph: width is the share of samples, depth the stack; one SVG without any script. */
import { escapeXml, FAINT_INK, FONT, INK, n, text } from "../../src/loadgen/svg.ts";

const WIDTH = 1400;
const ROW_HEIGHT = 17;
const HEAD_HEIGHT = 60;
const MARGIN = 16;
const CHARACTER_WIDTH = 6.4;
/** Narrower frames are left out. */
const WIDTH_MIN = 0.6;

interface Node {
  count: number;
  readonly children: Map<string, Node>;
}

/** `stacks`: frames from the outside in, the first a part of the program. */
export function drawFlames(title: string, note: string, stacks: readonly (readonly string[])[]): string {
  const root: Node = { count: 0, children: new Map() };
  let depth = 0;
  for (const stack of stacks) {
    let node = root;
    root.count++;
    for (const frame of stack) {
      let child = node.children.get(frame);
      if (child === undefined) {
        child = { count: 0, children: new Map() };
        node.children.set(frame, child);
      }
      child.count++;
      node = child;
    }
    depth = Math.max(depth, stack.length);
  }
  const height = HEAD_HEIGHT + depth * ROW_HEIGHT + MARGIN;
  const frames: string[] = [];
  if (root.count > 0) draw(root, MARGIN, 0, (WIDTH - 2 * MARGIN) / root.count, root.count, frames);
  return `<?xml version="1.0" encoding="UTF-8"?>
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img"
 font-family="${FONT}" font-size="11" fill="${INK}">
<title>${escapeXml(title)}</title>
<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>
${text(MARGIN, 26, title, { size: 16, weight: 600 })}
${text(MARGIN, 46, note, { fill: FAINT_INK })}
${frames.join("\n")}
</svg>
`;
}

/** Children of `node` from `left` on, widest first; `perSample` is the width of one sample. */
function draw(
  node: Node,
  left: number,
  depth: number,
  perSample: number,
  total: number,
  frames: string[],
): void {
  let x = left;
  const children = [...node.children].sort(([, a], [, b]) => b.count - a.count);
  for (const [name, child] of children) {
    const width = child.count * perSample;
    if (width >= WIDTH_MIN) {
      const y = HEAD_HEIGHT + depth * ROW_HEIGHT;
      const share = `${((100 * child.count) / total).toFixed(1)} %`;
      const room = Math.floor((width - 6) / CHARACTER_WIDTH);
      const label = name.length > room ? `${name.slice(0, Math.max(0, room - 1))}…` : name;
      frames.push(
        `<g><title>${escapeXml(`${name}: ${share}`)}</title><rect x="${n(x)}" y="${y}" width="${n(width)}" ` +
          `height="${ROW_HEIGHT - 1}" fill="${colourOf(name)}"/>${room > 3 ? text(x + 3, y + 12, label, {}) : ""}</g>`,
      );
      draw(child, x, depth + 1, perSample, total, frames);
    }
    x += width;
  }
}

/** Our own functions blue, everything else in warm colours; the same name always has the same one. */
function colourOf(name: string): string {
  let hash = 0;
  for (const character of name) hash = (hash * 31 + character.codePointAt(0)!) % 997;
  return /\.[jt]s:/.test(name)
    ? `hsl(${212 + (hash % 20)} 75% ${70 + (hash % 12)}%)`
    : `hsl(${20 + (hash % 35)} 80% ${70 + (hash % 14)}%)`;
}
