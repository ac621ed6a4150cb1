/**
 * A result as a picture: latency by percentile, throughput by second.
 *
 * Strategy: the percentile axis counts nines (position is log 1/(1-p)), so that p90, p99, p99.9 stand at
 * equal distances and the tail, which users feel, gets the room. Latency is drawn on a log scale where the
 * tail is far from the middle. The file is complete in itself: no script, no font, no style from elsewhere.
 */
import { type ScaleContinuousNumeric, scaleLinear, scaleLog } from "d3-scale";
import { area, curveStepAfter, curveStepBefore, line } from "d3-shape";
import { writeCount, writeDuration, writeMicroseconds } from "./quantities.ts";
import type { CellList, LatencyFigures, Result, SecondFigures } from "./result.ts";
import { escapeXml, FAINT_INK, FONT, GRID, INK, n, text } from "./svg.ts";

type Scale = ScaleContinuousNumeric<number, number>;
type Point = readonly [x: number, y: number];

interface Frame {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

const WIDTH = 960;
const HEIGHT = 660;
const LATENCY: Frame = { left: 84, right: 908, top: 126, bottom: 430 };
const THROUGHPUT: Frame = { left: 84, right: 908, top: 516, bottom: 616 };
const BLUE = "#1d5fd1";
const ORANGE = "#b45309";
const RED = "#c62828";
const TITLE_LENGTH_MAX = 76;
/** From a tail so many times the median on, latency is drawn on a log scale. */
const LOG_RATIO = 12;
/** Room for the label of the maximum, at the right edge. */
const MAX_LABEL_WIDTH = 100;
/** A last entry of the series shorter than this is not drawn by itself. */
const STUB_MS = 500;
/** Percentile positions, as 1/(1-p). */
const PERCENTILES: readonly [x: number, name: string][] = [
  [2, "p50"],
  [10, "p90"],
  [100, "p99"],
  [1e3, "p99.9"],
  [1e4, "p99.99"],
  [1e5, "p99.999"],
  [1e6, "p99.9999"],
];
const MARKED: readonly [x: number, name: string, key: keyof LatencyFigures][] = [
  [2, "p50", "p50"],
  [10, "p90", "p90"],
  [100, "p99", "p99"],
  [1e3, "p99.9", "p99_9"],
  [1e4, "p99.99", "p99_99"],
];

/** The picture as one SVG document. */
export function drawPlot(result: Result): string {
  const { target, loop, connections, pipeline, ratePerSecond, method } = result.configuration;
  const title = shorten(`${method} ${target}`);
  const load = [
    `${writeCount(connections)} connection${connections === 1 ? "" : "s"}`,
    ...(pipeline > 1 ? [`pipeline ${pipeline}`] : []),
    loop === "open" ? `open loop at ${writeCount(ratePerSecond)}/s` : "closed loop",
    writeDuration(result.elapsedMs),
    `engine ${result.engine.name}`,
    result.startedAt.slice(0, 10),
  ].join(" · ");
  const outcome = [
    `${writeCount(result.responses)} responses, ${writeCount(result.responsesPerSecond)}/s`,
    ...(result.errorCount > 0 ? [`${writeCount(result.errorCount)} errors`] : []),
    ...(result.responses > result.successful
      ? [`${writeCount(result.responses - result.successful)} not 2xx or 3xx`]
      : []),
  ].join(" · ");
  const isClean = result.errorCount === 0 && result.responses === result.successful;
  return `<?xml version="1.0" encoding="UTF-8"?>
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img"
 font-family="${FONT}" font-size="12" fill="${INK}">
<title>${escapeXml(`hp-bench: ${title}`)}</title>
<desc>${escapeXml(`${load}. ${outcome}.`)}</desc>
<rect width="${WIDTH}" height="${HEIGHT}" fill="#ffffff"/>
${text(24, 34, title, { size: 18, weight: 600 })}
${text(24, 56, load, { fill: FAINT_INK })}
${text(24, 75, outcome, { fill: isClean ? FAINT_INK : RED, ...(isClean ? {} : { weight: 600 }) })}
${result.latencyUs.count > 0 ? drawLatency(result) : text(480, 260, "no response", { anchor: "middle", size: 18 })}
${drawThroughput(result)}
</svg>
`;
}

// ── Latency by percentile
// ───────────────────────────────────────────────────────────────────────────────────────────

function drawLatency(result: Result): string {
  const { latencyUs, serviceUs, cells } = result;
  const xMax = Math.min(1e6, Math.max(1e3, latencyUs.count));
  const x: Scale = scaleLog().domain([1, xMax]).range([LATENCY.left, LATENCY.right]);
  const lowest = Math.max(
    1,
    Math.min(cells.latency[0]![0], cells.service[0]?.[0] ?? Number.POSITIVE_INFINITY),
  );
  const y = latencyScale(lowest, latencyUs.p50, latencyUs.max);
  const ticks = isLog(latencyUs) ? y.ticks().filter(isRoundTick) : y.ticks(6);
  const curves = [
    ...(serviceUs === null
      ? []
      : [curve(percentilePoints(cells.service, serviceUs.max, xMax), x, y, ORANGE, "5 4")]),
    curve(percentilePoints(cells.latency, latencyUs.max, xMax), x, y, BLUE, ""),
  ];
  return [
    heading(LATENCY, "Latency by percentile", serviceUs === null ? [] : LEGEND),
    ...ticks.map((us) => gridLine(LATENCY, y(us), tickText(us))),
    ...PERCENTILES.filter(([at]) => at <= xMax).map(([at, name]) => xTick(LATENCY, x(at), name)),
    axis(LATENCY),
    ...curves,
    ...marks(latencyUs, x, y, xMax),
  ].join("\n");
}

const LEGEND: readonly [text: string, colour: string, dash: string][] = [
  ["since the request was due", BLUE, ""],
  ["since it was sent", ORANGE, "5 4"],
];

function isLog(figures: LatencyFigures): boolean {
  return figures.max > LOG_RATIO * Math.max(1, figures.p50);
}

function latencyScale(lowestUs: number, p50: number, max: number): Scale {
  const range = [LATENCY.bottom, LATENCY.top];
  if (max > LOG_RATIO * Math.max(1, p50))
    return scaleLog()
      .domain([lowestUs / 1.2, max * 1.5])
      .range(range);
  return scaleLinear()
    .domain([0, max * 1.12])
    .range(range);
}

/** `7 ms`, `250 µs`, `1.5 s`. */
function tickText(us: number): string {
  return writeMicroseconds(us).replace(/\.?0+ /, (zeros) => (zeros.startsWith(".") ? " " : zeros));
}

function isRoundTick(value: number): boolean {
  const digit = Math.round(value / 10 ** Math.floor(Math.log10(value) + 1e-9));
  return digit === 1 || digit === 2 || digit === 5;
}

/**
 * Corners of the curve: `y` is the latency of every percentile after the previous corner's `x`, up to this
 * one's.
 */
function percentilePoints(cells: CellList, max: number, xMax: number): Point[] {
  const total = cells.reduce((sum, [, count]) => sum + count, 0);
  const points: Point[] = [];
  let seen = 0;
  for (const [upperUs, count] of cells) {
    if (points.length === 0) points.push([1, Math.max(1, upperUs)]);
    seen += count;
    points.push([
      Math.min(xMax, seen === total ? xMax : total / (total - seen)),
      Math.max(1, Math.min(upperUs, max)),
    ]);
  }
  return points;
}

function curve(points: readonly Point[], x: Scale, y: Scale, colour: string, dash: string): string {
  const path = line<Point>(
    ([at]) => x(at),
    ([, us]) => y(us),
  )
    .curve(curveStepBefore)
    .digits(1);
  const dashes = dash === "" ? "" : ` stroke-dasharray="${dash}"`;
  const data = path(thin(points, x, y)) ?? "";
  return `<path d="${data}" fill="none" stroke="${colour}" stroke-width="2" stroke-linejoin="round"${dashes}/>`;
}

/** Leaves out points that fall on the pixel of the one before; keeps first and last. */
function thin(points: readonly Point[], x: Scale, y: Scale): Point[] {
  const kept: Point[] = [];
  points.forEach((point, i) => {
    const before = kept.at(-1);
    const moves =
      before === undefined ||
      Math.abs(x(point[0]) - x(before[0])) > 0.5 ||
      Math.abs(y(point[1]) - y(before[1])) > 0.5;
    if (moves || i === points.length - 1) kept.push(point);
  });
  return kept;
}

function marks(figures: LatencyFigures, x: Scale, y: Scale, xMax: number): string[] {
  // A percentile needs a few responses beyond it to mean something.
  const shown = MARKED.filter(([at]) => at <= figures.count && x(at) < LATENCY.right - MAX_LABEL_WIDTH);
  return [
    ...shown.map(([at, name, key]) =>
      mark(x(at), y(Math.max(1, figures[key])), `${name} ${writeMicroseconds(figures[key])}`),
    ),
    mark(x(xMax), y(Math.max(1, figures.max)), `max ${writeMicroseconds(figures.max)}`),
  ];
}

function mark(x: number, y: number, label: string): string {
  const isAtLeft = x < LATENCY.left + 100;
  const isAtRight = x > LATENCY.right - 60;
  const style = { anchor: isAtLeft ? "middle" : "end", weight: 600, halo: true } as const;
  const at = text(isAtLeft ? x : isAtRight ? x + 4 : x - 6, y - (isAtLeft ? 14 : 9), label, style);
  return `<circle cx="${n(x)}" cy="${n(y)}" r="3.5" fill="${BLUE}"/>\n${at}`;
}

// ── Throughput by second
// ────────────────────────────────────────────────────────────────────────────────────────────

function drawThroughput(result: Result): string {
  const seconds = withoutStub(result.seconds);
  const endS = Math.max(result.elapsedMs, 1) / 1000;
  const rates = seconds.map(({ responses, lengthMs }) => (responses * 1000) / lengthMs);
  const errorRates = seconds.map(({ errors, lengthMs }) => (errors * 1000) / lengthMs);
  const x: Scale = scaleLinear().domain([0, endS]).range([THROUGHPUT.left, THROUGHPUT.right]);
  const y: Scale = scaleLinear()
    .domain([0, Math.max(1, ...rates, ...errorRates) * 1.1])
    .range([THROUGHPUT.bottom, THROUGHPUT.top]);
  const steps = (values: readonly number[]): Point[] => [
    ...values.map((value, i): Point => [i, value]),
    [endS, values.at(-1) ?? 0],
  ];
  const top = line<Point>(
    ([at]) => x(at),
    ([, rate]) => y(rate),
  )
    .curve(curveStepAfter)
    .digits(1);
  const filled = area<Point>(
    ([at]) => x(at),
    y(0),
    ([, rate]) => y(rate),
  )
    .curve(curveStepAfter)
    .digits(1);
  const hasErrors = errorRates.some((rate) => rate > 0);
  return [
    heading(THROUGHPUT, "Responses per second", hasErrors ? [["errors per second", RED, ""]] : []),
    ...y.ticks(3).map((rate) => gridLine(THROUGHPUT, y(rate), writeCount(rate))),
    ...x.ticks(Math.min(10, Math.max(1, Math.floor(endS)))).map((at) => xTick(THROUGHPUT, x(at), `${at} s`)),
    `<path d="${filled(steps(rates)) ?? ""}" fill="${BLUE}" fill-opacity="0.14"/>`,
    `<path d="${top(steps(rates)) ?? ""}" fill="none" stroke="${BLUE}" stroke-width="2"/>`,
    hasErrors
      ? `<path d="${top(steps(errorRates)) ?? ""}" fill="none" stroke="${RED}" stroke-width="2"/>`
      : "",
    axis(THROUGHPUT),
  ].join("\n");
}

/** Adds a short last entry to the one before: a rate over a few milliseconds says nothing. */
function withoutStub(seconds: readonly SecondFigures[]): readonly SecondFigures[] {
  const [last, before] = [seconds.at(-1), seconds.at(-2)];
  if (last === undefined || before === undefined || last.lengthMs >= STUB_MS) {
    return seconds.filter(({ lengthMs }) => lengthMs > 0);
  }
  const joined = {
    ...before,
    lengthMs: before.lengthMs + last.lengthMs,
    responses: before.responses + last.responses,
    errors: before.errors + last.errors,
  };
  return [...seconds.slice(0, -2), joined];
}

// ── Pieces
// ──────────────────────────────────────────────────────────────────────────────────────────────────────────

function heading(
  frame: Frame,
  title: string,
  legend: readonly (readonly [string, string, string])[],
): string {
  const y = frame.top - 16;
  let x = frame.left + 190;
  const entries = legend.map(([label, colour, dash]) => {
    const dashes = dash === "" ? "" : ` stroke-dasharray="${dash}"`;
    const entry = `<path d="M${x},${y - 4}h26" stroke="${colour}" stroke-width="2"${dashes}/>
${text(x + 33, y, label, { fill: FAINT_INK })}`;
    x += 58 + label.length * 6.4;
    return entry;
  });
  return [text(frame.left, y, title, { size: 14, weight: 600 }), ...entries].join("\n");
}

function gridLine(frame: Frame, y: number, label: string): string {
  return `<path d="M${frame.left},${n(y)}H${frame.right}" stroke="${GRID}"/>
${text(frame.left - 8, y + 4, label, { anchor: "end", fill: FAINT_INK })}`;
}

function xTick(frame: Frame, x: number, label: string): string {
  return `<path d="M${n(x)},${frame.top}V${frame.bottom}" stroke="${GRID}"/>
${text(x, frame.bottom + 18, label, { anchor: "middle", fill: FAINT_INK })}`;
}

function axis(frame: Frame): string {
  return `<path d="M${frame.left},${frame.bottom}H${frame.right}" stroke="${FAINT_INK}"/>`;
}

function shorten(content: string): string {
  return content.length > TITLE_LENGTH_MAX ? `${content.slice(0, TITLE_LENGTH_MAX - 1)}…` : content;
}
