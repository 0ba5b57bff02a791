// The score around an alert, in thresholds, with each family's part in it and a line where the clip is.

import { colour, onColours, sheet } from "./draw.js";

const LEFT = 34;
const BOTTOM = 18;
const TOP = 6;
const FAMILY_COLOURS = ["accent", "good", "drift", "camera"];

export class Curve {
  /** `trace` as its file has it. `onSeek(streamTime)`: a place was pressed. */
  constructor(canvas, trace, alert, onSeek) {
    this.canvas = canvas;
    this.trace = trace;
    this.alert = alert;
    this.cursor = null;
    this.levels = trace.scores.map((score, index) => levelOf(score, trace.thresholds[index]));
    this.families = familiesOf(trace).map(({ name, colour }) => ({
      colour,
      levels: trace.families[name].map((part, index) => Math.max(0, part / Math.abs(trace.thresholds[index] || 1))),
    }));
    this.highest = Math.max(1.5, ...this.levels) * 1.05;
    this.first = trace.times_s[0];
    this.last = Math.max(trace.times_s.at(-1), this.first + 0.001);
    canvas.addEventListener("click", (event) => onSeek(this.timeAt(event.offsetX)));
    new ResizeObserver(() => this.draw()).observe(canvas);
    onColours(() => this.draw());
  }

  moveTo(streamTime) {
    this.cursor = streamTime;
    this.draw();
  }

  timeAt(x) {
    const width = this.canvas.clientWidth - LEFT;
    return this.first + (Math.min(Math.max(0, x - LEFT), width) / width) * (this.last - this.first);
  }

  draw() {
    if (!this.canvas.isConnected) return;
    const { context, width, height } = sheet(this.canvas);
    const x = (time) => LEFT + ((time - this.first) / (this.last - this.first)) * (width - LEFT);
    const y = (level) => height - BOTTOM - (level / this.highest) * (height - BOTTOM - TOP);
    const { started_s: started, ended_s: ended } = this.alert;
    context.font = "11px system-ui, 'DejaVu Sans', sans-serif";
    context.fillStyle = colour("shade");
    const end = Math.min(x(ended ?? this.last), width);
    context.fillRect(x(started), TOP, Math.max(1, end - x(started)), height - BOTTOM - TOP);
    this.axes(context, x, y, width, height);
    const xs = this.trace.times_s.map(x);
    for (const family of this.families) line(context, xs, family.levels.map((one) => y(Math.min(one, this.highest))), colour(family.colour), 1);
    line(context, xs, this.levels.map(y), colour("anomaly"), 2);
    dot(context, x(this.trace.peaked_s), y(Math.max(...this.levels)), colour("anomaly"));
    if (this.cursor !== null) {
      context.fillStyle = colour("text");
      context.fillRect(Math.round(Math.min(Math.max(x(this.cursor), LEFT), width - 1)), TOP, 1.5, height - BOTTOM - TOP);
    }
  }

  axes(context, x, y, width, height) {
    context.fillStyle = colour("soft");
    context.textAlign = "right";
    context.textBaseline = "middle";
    const step = niceStep(this.highest);
    for (let level = 0; level <= this.highest; level += step) context.fillText(`${level}×`, LEFT - 6, y(level));
    context.strokeStyle = colour("line");
    context.beginPath();
    context.moveTo(LEFT, height - BOTTOM + 0.5);
    context.lineTo(width, height - BOTTOM + 0.5);
    context.stroke();
    context.save();
    context.setLineDash([5, 4]);
    context.strokeStyle = colour("soft");
    context.beginPath();
    context.moveTo(LEFT, Math.round(y(1)) + 0.5);
    context.lineTo(width, Math.round(y(1)) + 0.5);
    context.stroke();
    context.restore();
    context.textBaseline = "bottom";
    const seconds = niceStep(this.last - this.first);
    const offset = this.alert.started_s;
    for (let t = Math.ceil((this.first - offset) / seconds) * seconds; t + offset <= this.last; t += seconds) {
      context.textAlign = x(t + offset) > width - 20 ? "right" : x(t + offset) < LEFT + 14 ? "left" : "center";
      context.fillText(t === 0 ? "start" : `${t > 0 ? "+" : "−"}${Math.abs(t)} s`, x(t + offset), height);
    }
  }
}

/** Each family of the trace and the colour of its line. */
export function familiesOf(trace) {
  return Object.keys(trace.families ?? {}).map((name, index) => ({
    name,
    colour: FAMILY_COLOURS[index % FAMILY_COLOURS.length],
  }));
}

function levelOf(score, threshold) {
  const level = threshold > 0 ? score / threshold : 1 + (score - threshold) / (Math.abs(threshold) || 1);
  return Math.max(0, level);
}

/** About five steps, of 1, 2 or 5. */
function niceStep(span) {
  const raw = span / 5;
  const power = 10 ** Math.floor(Math.log10(raw));
  return [1, 2, 5, 10].map((one) => one * power).find((one) => one >= raw) ?? 1;
}

function line(context, xs, ys, style, width) {
  context.beginPath();
  xs.forEach((x, index) => (index ? context.lineTo(x, ys[index]) : context.moveTo(x, ys[index])));
  context.strokeStyle = style;
  context.lineWidth = width;
  context.lineJoin = "round";
  context.stroke();
  context.lineWidth = 1;
}

function dot(context, x, y, style) {
  context.beginPath();
  context.arc(x, y, 4, 0, 2 * Math.PI);
  context.fillStyle = style;
  context.fill();
}
