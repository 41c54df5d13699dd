// Exact exposures. Onset and offset are decided from frame timestamps, never by counting frames and never by a timer.
//
// Both fall on frames that are known when the fixation begins. The compositor gets them then, as steps in the opacity of
// an overlay with the same image, so that they are on time even if the page's own thread is busy. The page's thread marks
// #stimulus and the phase one frame later, both at the onset and at the offset. If the browser's frames do not keep such
// a schedule (`keepsSchedule`), the page changes the opacity itself, in the first frame that is due.
//
// Either way the stored times are those of frames that the page saw. If it did not see a change in its frame, the change
// may have come at any time up to the next frame seen: the exposure is uncertain by that time, and the trial is flagged.
// If the browser reports when a frame reached the display (Chromium), a frame that took longer than others counts, too.

const frames = () => new Promise((resolve) => requestAnimationFrame(resolve));
const JUST_BEFORE = 30; // frames

// The time from one frame to the next. The median of the last intervals gives the number of frames in each interval,
// dropped ones included; together they give the period far more exactly than the 0.1 ms to which browsers round.
export class FramePeriod {
  constructor() { this.intervals = []; this.last = null; this.ms = 1000 / 60; }

  saw(t) {
    const interval = this.last === null ? null : t - this.last;
    this.last = t;
    if (interval === null || interval < 1 || interval > 200) return interval;
    this.intervals.push(interval);
    if (this.intervals.length > 600) this.intervals.shift();
    return interval;
  }

  settle() {
    if (this.intervals.length < 10) return this.ms;
    const median = [...this.intervals].sort((a, b) => a - b)[this.intervals.length >> 1];
    let total = 0;
    let count = 0;
    for (const interval of this.intervals) {
      total += interval;
      count += Math.max(1, Math.round(interval / median));
    }
    this.ms = total / count;
    return this.ms;
  }
}

// Waits at least `ms`, frame by frame; resolves with the timestamp of the frame that ended the wait.
export async function wait(ms, period) {
  let t = await frames();
  period.last = null;
  period.saw(t);
  const start = t;
  while (t - start < ms - period.ms / 2) period.saw(t = await frames());
  return t;
}

// Whether frames come when predicted: after a pause of some frames, the first frame seen is the one due or the next, in
// 3 of 4 pauses. Pauses that end late because the page's own thread is busy are not counted.
export async function keepsSchedule(period, pauses = 8) {
  let judged = 0;
  let kept = 0;
  for (let i = 0; i < pauses; i++) {
    const frame = period.settle();
    const start = await frames();
    const due = start + 5 * frame;
    await until(due + frame / 4);
    if (performance.now() > due + frame) continue;
    const t = await frames();
    judged += 1;
    if (punctual(t - due, frame)) kept += 1;
  }
  period.last = null;
  return kept >= 0.75 * judged;
}

// The time that frames take to reach the display, if the browser reports it: Chromium gives the time at which a new text
// was presented (Element Timing, in steps of 4 ms). `place` is an element for such a text, in the grey of the page.
export class Display {
  constructor(place) {
    Object.assign(this, { place, least: Infinity, asked: new Map(), count: 0 });
    this.reports = globalThis.PerformanceObserver?.supportedEntryTypes?.includes("element") ?? false;
    if (!this.reports) return;
    this.observer = new PerformanceObserver((list) => {
      this.reports = true;
      for (const { identifier, renderTime } of list.getEntries()) this.asked.get(identifier)?.(renderTime);
    });
    this.observer.observe({ type: "element" });
  }

  // The ms from the timestamp `t` of this frame to its presentation, or to the end of the wait for a report of it.
  async lag(t) {
    if (!this.reports) return 0;
    const name = `frame ${this.count++}`;
    const text = document.createElement("div"); // of an element that is not a block Chromium 156 reports no text
    text.setAttribute("elementtiming", name);
    text.textContent = ".";
    this.place.append(text); // until it is reported: one that is gone by then is not
    const presented = await new Promise((resolve) => {
      this.asked.set(name, resolve);
      setTimeout(() => { // a browser that has not reported yet is asked no more, as each trial would wait for it
        this.reports &&= this.least < Infinity;
        resolve(performance.now());
      }, 1000);
    });
    this.asked.delete(name);
    text.remove();
    this.least = Math.min(this.least, presented - t);
    return presented - t;
  }
}

// One trial's fixation, image and mask on `screen` ({ cross, image, overlay, mask }).
//
// `planned` null shows the image until the promise that `until()` returns resolves. `phase(name)` is called in the frame
// in which each part begins. `scheduled`: whether the compositor makes the changes, or the page itself.
// Resolves with the onset (a frame's timestamp), the observed exposure and a promise of its possible error, the earliest
// time at which the image and its mask may have disappeared, the frames that the page's thread missed, whether the page
// was hidden or out of focus or its window resized, the image's size, and the frame period; all in ms and CSS pixels.
export async function present(screen, trial) {
  const { mask, period, phase, display } = trial;
  const watch = watchWindow(screen.image);
  const frame = period.settle();
  const { t, due, steps, late } = await fixate(screen, trial, frame);
  const seen = new Frames(period, frame, t, display);
  const onset = await seen.change(due.onset, steps);
  screen.image.style.visibility = "visible";
  phase("stimulus");
  const size = shownSize(screen.image);
  trial.until()?.then(() => { seen.ended = true; });
  seen.dropped = 0;
  if (due.offset - due.onset > 3.5 * frame) await seen.confirm(onset, due.offset - due.onset > 10 * frame ? 5 : 1);
  const offset = await seen.change(due.offset, steps);
  screen.image.style.visibility = "hidden";
  const { lost, resized, full } = watch();
  const { dropped } = seen;
  if (mask) phase("mask");
  await seen.confirm(offset);
  if (mask) await seen.change(due.end, steps);
  steps.cancel();
  const confirmed = seen.confirm(offset, 5);
  return {
    onset: onset.at, exposure: Math.max(0, offset.at - onset.at), // a late onset may be seen after a punctual end
    uncertain: confirmed.then(async () => Math.max(onset.late, offset.late, late, await seen.displayed())),
    end: steps.scheduled ? due.end : offset.at + mask, dropped, lost, resized, full, size, frame,
  };
}

// The frames that the page's thread sees in a trial.
class Frames {
  constructor(period, frame, t, display) {
    Object.assign(this, { period, frame, t, display, dropped: 0, behind: 0, ended: false, lags: [] });
  }

  // Waits for the next frame; resolves with the time from its timestamp until the page sees it.
  async next(expected = this.t + this.frame) {
    this.period.saw(this.t = await frames());
    this.dropped += Math.max(0, Math.round((this.t - expected) / this.frame));
    const held = performance.now() - this.t;
    this.behind = Math.max(this.behind, tardy(this.t - expected, this.frame), tardy(held, this.frame));
    return held;
  }

  // The change that is due at `moment`: the frame's timestamp, and the possible error if no frame shows that the change
  // was on time. Resolves in the frame after it: around a scheduled change no frame is requested, since a compositor that
  // waits for a busy page would miss it. Resolves at once if the trial has `ended`.
  async change(moment, steps) {
    const { frame } = this;
    const ahead = steps.scheduled ? 3 : 0.5;
    while (!this.ended && this.t < moment - ahead * frame) {
      if (this.t < moment - JUST_BEFORE * frame) this.behind = 0;
      await this.next();
    }
    if (this.ended) return { at: this.t, late: 0 };
    if (!steps.scheduled) {
      const change = { at: this.t, late: this.behind };
      steps.make(moment);
      await this.confirm(change);
      return change;
    }
    await until(moment + frame / 4);
    this.period.last = null;
    await this.next(moment + frame);
    this.lags.push(this.display.lag(this.t));
    const off = this.t - moment;
    if (!punctual(off, frame)) return { at: this.t, late: off };
    return { at: this.t - Math.round(off / frame) * frame, late: this.behind };
  }

  // A browser that is late with a change is late with one of the next frames, too: waits for `count` of them.
  async confirm(change, count = 1) {
    for (let i = 0; i < count && !this.ended; i++) {
      await this.next();
      change.late = Math.max(change.late, this.behind);
      this.lags.push(this.display.lag(this.t));
    }
  }

  // The additional time that the frames that confirm the changes took to reach the display, compared with others.
  async displayed() {
    const lags = await Promise.all(this.lags);
    return tardy(Math.max(0, ...lags) - this.display.least, this.frame);
  }
}

// Whether the first frame seen after a moment, `off` ms from it, is the one due then or the next.
const punctual = (off, frame) => off > -frame / 2 && off < 1.5 * frame;

// A delay in ms that may have moved a change to another frame; 0 for a shorter one.
const tardy = (delay, frame) => (delay > 0.75 * frame ? delay : 0);

// Pauses the page's thread, so that it does not disturb the compositor; nothing is measured with this timer.
const until = (moment) => new Promise((resolve) => setTimeout(resolve, moment - performance.now()));

// Starts the fixation and schedules all that follows on the compositor. If the page's thread is blocked just then, the
// schedule may reach the compositor too late, by up to `late` ms (0: in time). The fixation is not repeated, since the
// image may have been seen already: a late image is only flagged, but one that was seen early could not be shown again.
async function fixate(screen, { fixation, planned, mask, period, phase, scheduled }, frame) {
  const start = await frames();
  phase("fixation");
  const onset = start + Math.max(6, Math.round(fixation / frame)) * frame;
  const offset = planned === null ? Infinity : onset + Math.max(1, Math.round(planned / frame)) * frame;
  const due = { onset, offset, end: offset + Math.round(mask / frame) * frame };
  const changes = [
    [screen.cross, 1, [[due.onset, 0]]],
    [screen.overlay, 0, [[due.onset, 1], [due.offset, 0]]],
    [screen.image, 1, [[due.offset, 0]]],
    [screen.mask, 0, [[due.offset, 1], [due.end, 0]]],
  ];
  const steps = scheduled ? compositor(changes, start, frame) : page(changes);
  period.last = start;
  const t = await frames();
  period.saw(t);
  return { t, due, steps, late: scheduled && t > onset - 4 * frame ? t - onset + 5 * frame : 0 };
}

// The changes of opacity, made by the compositor.
function compositor(changes, start, frame) {
  const animations = changes.map(([element, opacity, steps]) => stepped(element, start, opacity, steps, frame));
  return { scheduled: true, cancel: () => animations.forEach((animation) => animation.cancel()) };
}

// The changes of opacity, made by the page when `make` is called with the moment at which they are due.
function page(changes) {
  for (const [element, opacity] of changes) element.style.opacity = opacity;
  return {
    scheduled: false,
    make(moment) {
      for (const [element, , steps] of changes) {
        for (const [at, value] of steps) if (at === moment) element.style.opacity = value;
      }
    },
    cancel: () => changes.forEach(([element]) => { element.style.opacity = ""; }),
  };
}

// An animation of opacity alone, in steps: `changes` are [frame in which it changes, opacity]. Each step is half a frame
// early, so that the frame that is due is the first one at or past it.
function stepped(element, start, opacity, changes, frame) {
  const steps = changes.filter(([at]) => Number.isFinite(at)).map(([at, value]) => [at - frame / 2 - start, value]);
  const duration = (steps.at(-1)?.[0] ?? 0) + 60000;
  const keyframes = [{ opacity, offset: 0 }];
  for (const [at, value] of steps) {
    keyframes.push({ opacity: keyframes.at(-1).opacity, offset: at / duration }, { opacity: value, offset: at / duration });
  }
  keyframes.push({ opacity: keyframes.at(-1).opacity, offset: 1 });
  const animation = element.animate(keyframes, { duration, fill: "both" });
  animation.startTime = start;
  return animation;
}

// The size in CSS pixels at which the image is shown inside its box, and the screen's pixels per CSS pixel.
function shownSize(element) {
  const image = element.querySelector("img") ?? element; // of two images the first
  const box = image.getBoundingClientRect();
  const scale = Math.min(box.width / image.naturalWidth, box.height / image.naturalHeight);
  return { width: image.naturalWidth * scale, height: image.naturalHeight * scale, ratio: devicePixelRatio };
}

// Whether the page lost the focus or was hidden, the image's box changed, or the page was on the full screen all the time,
// until the returned function is called.
function watchWindow(image) {
  const side = image.getBoundingClientRect().width;
  let lost = document.hidden || !document.hasFocus();
  let resized = false;
  let full = document.fullscreenElement !== null;
  const leave = () => { full &&= document.fullscreenElement !== null; };
  const lose = () => { lost = true; };
  const resize = () => { resized = true; };
  addEventListener("blur", lose);
  document.addEventListener("visibilitychange", lose);
  addEventListener("resize", resize);
  document.addEventListener("fullscreenchange", leave);
  return () => {
    removeEventListener("blur", lose);
    document.removeEventListener("visibilitychange", lose);
    removeEventListener("resize", resize);
    document.removeEventListener("fullscreenchange", leave);
    return { lost, resized: resized || image.getBoundingClientRect().width !== side, full };
  };
}
