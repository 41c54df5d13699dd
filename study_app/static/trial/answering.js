// A question that is answered with one of its buttons: by key, mouse, touch or screen reader.
//
// Each button has a value and names its key by letter (data-key) and by position (data-place): the position also works on
// keyboards with other letters (Cyrillic, Greek, digits with Shift). The arrows move the focus from button to button.

const STEPS = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 };

export class Question {
  // `listens()`: whether the question is on the page, so that presses of its keys are meant for it.
  constructor(group, listens) {
    this.buttons = [...group.querySelectorAll("button")];
    this.early = []; // presses before an answer is asked for: recorded, not taken
    this.take = null; // set while an answer is asked for
    this.opens = 0; // from this moment on,
    this.closes = Infinity; // until this one
    addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.altKey || event.metaKey || !listens()) return;
      const keyed = (button) => button.dataset.key === event.key?.toLowerCase() || button.dataset.place === event.code;
      const button = this.buttons.find(keyed);
      if (button && !event.repeat) this.pressed(button.value, "key", event.timeStamp);
      else if (!(event.key in STEPS && this.take)) return;
      else this.move(STEPS[event.key]);
      event.preventDefault();
    });
    for (const button of this.buttons) this.watch(button);
  }

  // A press is taken when it is released over the button (so that it can be taken back), with the time it began.
  watch(button) {
    let down = null;
    button.addEventListener("pointerdown", (event) => {
      down = { by: event.pointerType, stamp: event.timeStamp };
    });
    button.addEventListener("pointercancel", () => { down = null; });
    button.addEventListener("click", (event) => {
      const press = event.detail === 0 ? null : down; // no pointer: the keyboard or a screen reader pressed it
      down = null;
      this.pressed(button.value, press ? press.by : "other", press ? press.stamp : event.timeStamp);
    });
  }

  move(step) {
    const at = this.buttons.indexOf(document.activeElement);
    const last = this.buttons.length - 1;
    this.buttons[at < 0 ? (step > 0 ? 0 : last) : Math.min(last, Math.max(0, at + step))].focus();
  }

  pressed(value, by, stamp) {
    if (this.take && stamp >= this.opens && stamp < this.closes) this.take({ value, by, stamp });
    else this.early.push({ value, by, stamp });
  }

  // Resolves with the answer, { value, by, stamp }. An answer given since `moment`, the end of the exposure, counts even
  // if the page sees that end later than the participant. Without an answer within `limit` (ms) the value is "missed"; a
  // press that was in time counts even if a busy page receives it later.
  asked(moment = performance.now(), limit = null) {
    this.opens = moment;
    this.closes = limit === null ? Infinity : moment + limit;
    for (const button of this.buttons) button.setAttribute("aria-disabled", "false");
    return new Promise((resolve) => {
      const given = this.early.findIndex((press) => press.stamp >= moment);
      if (given >= 0) resolve(this.early.splice(given)[0]);
      else this.take = resolve;
      const missed = () => resolve({ value: "missed", by: "other", stamp: null });
      if (limit !== null) setTimeout(() => setTimeout(missed), this.closes - performance.now());
    }).finally(() => {
      this.take = null;
      for (const button of this.buttons) button.setAttribute("aria-disabled", "true");
    });
  }
}
