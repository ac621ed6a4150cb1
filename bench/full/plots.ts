/**
 * The figures of a run as pictures: one panel per scenario. Bars have the median of the rounds and, as a line
 * across their end, the lowest and the highest; latencies are curves over percentiles, on a log scale.
 */
import { scaleLinear, scaleLog } from "d3-scale";
import { line } from "d3-shape";
import { escapeXml, FAINT_INK, FONT, GRID, INK, n, text } from "../../src/loadgen/svg.ts";
import type { Round, Series } from "../measure.ts";
import type { ScenarioResult } from "../report.ts";
import { type Spread, spread, writeNumber } from "../statistics.ts";

const WIDTH = 1120;
const COLUMNS = 2;
const GAP = 28;
const PANEL_WIDTH = (WIDTH - GAP * (COLUMNS + 1)) / COLUMNS;
const HEAD_HEIGHT = 64;
const TITLE_HEIGHT = 34;
const BAR_HEIGHT = 18;
const LABEL_WIDTH = 214;
const VALUE_WIDTH = 66;
const CURVE_HEIGHT = 230;
const AXIS_WIDTH = 62;
const LEGEND_LINE_HEIGHT = 16;
const TITLE_LENGTH_MAX = 60;
/** Colours of hp-proxy and of the others; each contender keeps its own in every panel. */
const OWN_COLOURS = [
  "#1d5fd1",
  "#4f8df0",
  "#8fb8f8",
  "#0b3a8f",
  "#6a7fd6",
  "#7aa7c7",
  "#a5b4fc",
  "#0891b2",
  "#67e8f9",
];
const OTHER_COLOURS = [
  "#b45309",
  "#2f855a",
  "#805ad5",
  "#c62828",
  "#4a5568",
  "#b7791f",
  "#d53f8c",
  "#0d9488",
  "#9ca3af",
  "#111827",
];

/** What a bar shows. NaN for a round that has no such figure. */
export interface BarFigure {
  readonly title: string;
  readonly pick: (round: Round) => number;
}

interface Panel {
  readonly title: string;
  readonly height: number;
  /** The panel's contents with its upper left corner at 0, 0. */
  readonly body: string;
}

/** One panel of bars for each scenario that has such figures. */
export function drawBars(
  { title, pick }: BarFigure,
  results: readonly ScenarioResult[],
  note: string,
): string {
  const colours = colourTable(results);
  const panels = results.flatMap((result): Panel[] => {
    const rows = result.series.flatMap((series): Bar[] => {
      const values = validRounds(series).map(pick).filter(Number.isFinite);
      if (values.length === 0) return [];
      return [{ label: series.title, colour: colours.get(series.name)!, of: spread(values) }];
    });
    return rows.length === 0 ? [] : [barPanel(result.scenario.title, rows)];
  });
  return document(title, note, panels);
}

/** One panel of curves for each scenario whose latencies are known. */
export function drawLatencies(results: readonly ScenarioResult[], note: string): string {
  const colours = colourTable(results);
  const panels = results.flatMap((result): Panel[] => {
    const curves = result.series.flatMap((series): Curve[] => {
      const rounds = validRounds(series).filter(({ p99Us }) => p99Us > 0);
      if (rounds.length === 0) return [];
      const us = PERCENTILES.map(([, pick]) => spread(rounds.map(pick)).median);
      return [{ label: series.title, colour: colours.get(series.name)!, us }];
    });
    return curves.length === 0 ? [] : [curvePanel(result.scenario.title, curves)];
  });
  return document("Latency by percentile", note, panels);
}

interface Bar {
  readonly label: string;
  readonly colour: string;
  readonly of: Spread;
}

function barPanel(title: string, rows: readonly Bar[]): Panel {
  const x = scaleLinear()
    .domain([0, Math.max(...rows.map(({ of }) => of.max))])
    .range([LABEL_WIDTH, PANEL_WIDTH - VALUE_WIDTH]);
  const body = rows.map(({ label, colour, of }, i) => {
    const top = i * BAR_HEIGHT;
    const middle = top + BAR_HEIGHT / 2;
    return [
      text(LABEL_WIDTH - 8, middle + 4, shorten(label, 34), { anchor: "end" }),
      `<rect x="${LABEL_WIDTH}" y="${n(top + 3)}" width="${n(x(of.median) - LABEL_WIDTH)}" ` +
        `height="${BAR_HEIGHT - 6}" fill="${colour}"/>`,
      `<path d="M${n(x(of.min))},${n(middle)}H${n(x(of.max))}" stroke="${INK}" stroke-width="1.5"/>`,
      text(x(of.max) + 6, middle + 4, writeNumber(of.median), { fill: FAINT_INK }),
    ].join("\n");
  });
  const height = rows.length * BAR_HEIGHT;
  return { title, height, body: [baseline(LABEL_WIDTH, height), ...body].join("\n") };
}

function baseline(x: number, height: number): string {
  return `<path d="M${x},0V${height}" stroke="${FAINT_INK}"/>`;
}

interface Curve {
  readonly label: string;
  readonly colour: string;
  /** One value for each of `PERCENTILES`. */
  readonly us: readonly number[];
}

const PERCENTILES: readonly [name: string, pick: (round: Round) => number][] = [
  ["p50", ({ p50Us }) => p50Us],
  ["p90", ({ p90Us }) => p90Us],
  ["p99", ({ p99Us }) => p99Us],
  ["p99.9", ({ p999Us }) => p999Us],
  ["max", ({ maxUs }) => maxUs],
];

function curvePanel(title: string, curves: readonly Curve[]): Panel {
  const all = curves.flatMap(({ us }) => us).filter((us) => us > 0);
  const y = scaleLog()
    .domain([Math.min(...all) / 1.2, Math.max(...all) * 1.2])
    .range([CURVE_HEIGHT, 0]);
  const step = (PANEL_WIDTH - AXIS_WIDTH - 20) / (PERCENTILES.length - 1);
  const at = (index: number) => AXIS_WIDTH + 10 + index * step;
  const path = line<number>(
    (_, index) => at(index),
    (us) => y(Math.max(us, 1)),
  ).digits(1);
  const ticks = y.ticks(4).filter((value) => /^[125]0*$/.test(String(Math.round(value))));
  const legendTop = CURVE_HEIGHT + 38;
  return {
    title,
    height: legendTop + Math.ceil(curves.length / 2) * LEGEND_LINE_HEIGHT,
    body: [
      ...ticks.map(
        (us) =>
          `<path d="M${AXIS_WIDTH},${n(y(us))}H${n(PANEL_WIDTH)}" stroke="${GRID}"/>\n` +
          text(AXIS_WIDTH - 8, y(us) + 4, duration(us), { anchor: "end", fill: FAINT_INK }),
      ),
      ...PERCENTILES.map(([name], i) =>
        text(at(i), CURVE_HEIGHT + 18, name, { anchor: "middle", fill: FAINT_INK }),
      ),
      ...curves.map(
        ({ us, colour }) =>
          `<path d="${path([...us]) ?? ""}" fill="none" stroke="${colour}" stroke-width="2"/>`,
      ),
      ...curves.map(({ label, colour }, i) => {
        const left = AXIS_WIDTH + (i % 2) * ((PANEL_WIDTH - AXIS_WIDTH) / 2);
        const top = legendTop + Math.floor(i / 2) * LEGEND_LINE_HEIGHT;
        return (
          `<path d="M${n(left)},${n(top - 4)}h16" stroke="${colour}" stroke-width="3"/>\n` +
          text(left + 22, top, shorten(label, 32), { fill: FAINT_INK })
        );
      }),
    ].join("\n"),
  };
}

/** Panels side by side, row by row; each row is as high as its highest. */
function document(title: string, note: string, panels: readonly Panel[]): string {
  const parts: string[] = [];
  let top = HEAD_HEIGHT;
  for (let i = 0; i < panels.length; i += COLUMNS) {
    const row = panels.slice(i, i + COLUMNS);
    row.forEach((panel, column) => {
      const left = GAP + column * (PANEL_WIDTH + GAP);
      parts.push(
        text(left, top + 14, shorten(panel.title, TITLE_LENGTH_MAX), { size: 14, weight: 600 }),
        `<g transform="translate(${n(left)},${n(top + TITLE_HEIGHT - 10)})">\n${panel.body}\n</g>`,
      );
    });
    top += TITLE_HEIGHT + Math.max(...row.map(({ height }) => height)) + GAP;
  }
  return `<?xml version="1.0" encoding="UTF-8"?>
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${n(top)}" width="${WIDTH}" height="${n(top)}" role="img"
 font-family="${FONT}" font-size="12" fill="${INK}">
<title>${escapeXml(title)}</title>
<desc>${escapeXml(note)}</desc>
<rect width="${WIDTH}" height="${n(top)}" fill="#ffffff"/>
${text(GAP, 30, title, { size: 18, weight: 600 })}
${text(GAP, 50, note, { fill: FAINT_INK })}
${panels.length === 0 ? text(GAP, HEAD_HEIGHT + 20, "nothing was measured", {}) : parts.join("\n")}
</svg>
`;
}

function colourTable(results: readonly ScenarioResult[]): Map<string, string> {
  const names = [...new Set(results.flatMap(({ series }) => series.map(({ name }) => name)))];
  const own = names.filter((name) => name.startsWith("hp-"));
  const others = names.filter((name) => !name.startsWith("hp-"));
  return new Map([
    ...own.map((name, i): [string, string] => [name, OWN_COLOURS[i % OWN_COLOURS.length]!]),
    ...others.map((name, i): [string, string] => [name, OTHER_COLOURS[i % OTHER_COLOURS.length]!]),
  ]);
}

function validRounds({ rounds }: Series): readonly Round[] {
  return rounds.filter(({ invalid }) => invalid === "");
}

function duration(us: number): string {
  if (us >= 1e6) return `${us / 1e6} s`;
  return us >= 1000 ? `${us / 1000} ms` : `${us} µs`;
}

function shorten(content: string, length: number): string {
  return content.length > length ? `${content.slice(0, length - 1)}…` : content;
}
