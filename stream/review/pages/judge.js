// The buttons that say what an alert was. Marking one as normal teaches the model, which takes seconds; meanwhile one
// may go on to other alerts.

import * as api from "./api.js";
import { element } from "./draw.js";

const SAID = { normal: "counts as normal from now on", real: "noted as real", null: "taken back" };

export class Judge {
  constructor(onVerdict) {
    this.onVerdict = onVerdict;
    this.pending = new Map(); // id -> the verdict that is on its way
    this.told = new Map(); // id -> [line, whether it is an error]
    this.alert = null;
  }

  /** The row of buttons for this alert. */
  buttons(alert) {
    this.alert = alert;
    const button = (text, key, verdict) => {
      const made = element("button", { type: "button", onclick: () => this.say(verdict) }, `${text} `, element("kbd", { textContent: key }));
      made.dataset.verdict = String(verdict);
      return made;
    };
    this.place = element(
      "div",
      { className: "judge", role: "group", ariaLabel: "What was it?" },
      alert.kind === "anomaly" ? button("This was normal", "n", "normal") : null,
      button("This was real", "r", "real"),
      button("Undo", "u", null),
      element("p", { className: "told", role: "status" }),
    );
    this.fill();
    return this.place;
  }

  async say(verdict) {
    const alert = this.alert;
    if (!alert || !this.place.isConnected) return; // the next one is chosen, but not yet there
    const possible = this.place.querySelector(`[data-verdict="${verdict}"]`) !== null;
    if (!possible || this.pending.has(alert.id) || alert.verdict === verdict) return;
    this.pending.set(alert.id, verdict);
    this.told.delete(alert.id);
    this.fill();
    try {
      const said = await api.judge(alert.id, verdict);
      alert.verdict = said.verdict;
      this.told.set(alert.id, [SAID[verdict], false, said.text]);
      this.onVerdict(alert.id, said.verdict);
    } catch (error) {
      this.told.set(alert.id, [error.message, true, ""]);
    }
    this.pending.delete(alert.id);
    if (this.alert?.id === alert.id) {
      this.alert.verdict = alert.verdict;
      this.fill();
    }
  }

  fill() {
    const { id, verdict } = this.alert;
    const waiting = this.pending.has(id);
    for (const button of this.place.querySelectorAll("button")) {
      const its = button.dataset.verdict;
      button.disabled = waiting || its === String(verdict);
      if (its !== "null") button.setAttribute("aria-pressed", String(its === verdict));
    }
    const [text, failed, more] = waiting ? ["marking …", false, ""] : (this.told.get(id) ?? ["", false, ""]);
    const told = this.place.querySelector(".told");
    told.textContent = text;
    told.title = more;
    told.classList.toggle("error", failed);
  }
}
