// The levels of all cameras, as the server's stream of events tells them, twice a second.

import { colour, element, onColours, sheet } from "./draw.js";
import { times } from "./words.js";

const HIGHEST = 2; // thresholds, at the top of a tile's curve
const AGAIN_MS = 3000;

export class Live {
  /** `onCamera(name)`: a tile was pressed. `onAlerts()`: one has begun or ended. */
  constructor({ onCamera, onAlerts }) {
    this.onCamera = onCamera;
    this.onAlerts = onAlerts;
    this.tiles = new Map();
    this.alerts = null;
    this.pressed = "";
    this.watch = document.querySelector("#watch");
    this.place = document.querySelector("#live");
    this.said = { cameras: [] };
    // A page that nobody sees needs no stream; browsers allow few of them at once.
    document.addEventListener("visibilitychange", () => (document.hidden ? this.close() : this.open()));
    onColours(() => this.draw());
    this.open();
  }

  open() {
    if (this.source || document.hidden) return;
    this.source = new EventSource("/live");
    this.source.onmessage = (event) => this.take(JSON.parse(event.data));
    this.source.onerror = () => {
      this.tell("the server of this page does not answer; trying again", false);
      if (this.source?.readyState === EventSource.CLOSED) {
        this.close();
        setTimeout(() => this.open(), AGAIN_MS);
      }
    };
  }

  close() {
    this.source?.close();
    this.source = null;
  }

  press(camera) {
    this.pressed = camera;
    for (const [name, tile] of this.tiles) tile.setAttribute("aria-pressed", String(name === camera));
  }

  take(said) {
    if (this.alerts !== null && said.alerts !== this.alerts) this.onAlerts();
    this.alerts = said.alerts;
    this.said = said;
    const count = said.cameras.length;
    this.tell(said.watching ? `watching ${count} ${count === 1 ? "camera" : "cameras"}` : said.reason, said.watching);
    this.place.hidden = count === 0;
    this.draw();
  }

  tell(text, on) {
    if (this.watch.textContent !== text) this.watch.textContent = text;
    this.watch.classList.toggle("on", on);
  }

  draw() {
    const names = new Set(this.said.cameras.map((camera) => camera.name));
    for (const [name, tile] of this.tiles) {
      if (!names.has(name)) {
        tile.remove();
        this.tiles.delete(name);
      }
    }
    for (const camera of this.said.cameras) {
      if (!this.tiles.has(camera.name)) this.tiles.set(camera.name, this.make(camera.name));
      fill(this.tiles.get(camera.name), camera);
    }
  }

  make(name) {
    const tile = element(
      "button",
      { className: "tile", type: "button", onclick: () => this.onCamera(name) },
      element("span", { className: "name", textContent: name }),
      element("span", { className: "level" }),
      element("canvas", { ariaHidden: "true" }),
    );
    tile.setAttribute("aria-pressed", String(name === this.pressed));
    this.place.append(tile);
    return tile;
  }
}

function fill(tile, camera) {
  tile.classList.toggle("alert", camera.alert !== null);
  tile.title = [camera.state, camera.reason, `${camera.fps} frames/s`].filter(Boolean).join(" · ");
  tile.querySelector(".level").textContent = stateOf(camera);
  drawCurve(tile.querySelector("canvas"), camera.history);
}

function stateOf(camera) {
  if (camera.state !== "live") return camera.state;
  if (camera.silent_s !== null) return `silent for ${camera.silent_s} s`;
  if (camera.condition !== "ok") return camera.condition;
  return times(camera.level);
}

function drawCurve(canvas, history) {
  const { context, width, height } = sheet(canvas);
  const y = (level) => height - 1 - (Math.min(level, HIGHEST) / HIGHEST) * (height - 2);
  const step = width / history.length;
  context.strokeStyle = colour("line");
  context.beginPath();
  context.moveTo(0, Math.round(y(1)) + 0.5);
  context.lineTo(width, Math.round(y(1)) + 0.5);
  context.stroke();
  history.forEach((level, index) => {
    if (level === null) return;
    context.fillStyle = colour(level > 1 ? "anomaly" : "bar");
    context.fillRect(index * step, y(level), Math.max(1, step - 1), height - y(level));
  });
}
