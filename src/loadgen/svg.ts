/** Pieces of pictures: each is complete in itself, with no script, font or style from elsewhere. */
export const INK = "#1f2328";
export const FAINT_INK = "#59636e";
export const GRID = "#e4e7eb";
export const FONT = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif";

export interface TextStyle {
  readonly size?: number;
  readonly weight?: number;
  readonly fill?: string;
  readonly anchor?: "middle" | "end";
  /** A white edge, so that the text can be read across lines. */
  readonly halo?: boolean;
}

/** `content` is escaped here. */
export function text(x: number, y: number, content: string, style: TextStyle): string {
  const attributes = [
    ...(style.size === undefined ? [] : [`font-size="${style.size}"`]),
    ...(style.weight === undefined ? [] : [`font-weight="${style.weight}"`]),
    ...(style.fill === undefined ? [] : [`fill="${style.fill}"`]),
    ...(style.anchor === undefined ? [] : [`text-anchor="${style.anchor}"`]),
    ...(style.halo === true ? ['stroke="#ffffff" stroke-width="4" paint-order="stroke"'] : []),
  ];
  return `<text x="${n(x)}" y="${n(y)}"${attributes.map((each) => ` ${each}`).join("")}>${escapeXml(content)}</text>`;
}

/** A coordinate, to a tenth. */
export function n(value: number): string {
  return String(Number(value.toFixed(1)));
}

export function escapeXml(content: string): string {
  return content.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;").replace(/"/g, "&quot;");
}
