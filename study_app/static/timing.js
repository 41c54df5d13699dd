// Exact exposures. Onset and offset are decided from frame timestamps, never by counting frames and never by a timer.
//
// They fall on frames that are known when the fixation begins, and are handed to the compositor then, as steps of the
// opacity of a twin of the image: so they come on time even where the page's own thread is busy just then. The page's
// thread marks #stimulus and the phase one frame later, both at the onset and at the offset.

const frames = () => new Promise((resolve) => requestAnimationFrame(resolve));
// The time from one frame to the next. The median of the last intervals says how many frames each of them spans, dropped
// ones included; all of them together then give the period far more exactly than the 0.1 ms that browsers round to.
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

// One trial's fixation, image and mask on `screen` ({ cross, image, twin, mask }).
//
// `planned` null shows the image until the promise that `until()` returns resolves. `phase(name)` is called in the frame in which each part begins.
// Resolves with the onset (a frame's timestamp), the exposure reached, the frames that the page's thread missed, whether
// the page was out of sight or focus, and the frame period; all in ms.
export async function present(screen, trial) {
  const { mask, period, phase } = trial;
  const watch = watchFocus();
  const frame = period.settle();
  const { t: begin, due, steps } = await fixate(screen, trial, frame);
  let t = begin;
  let dropped = 0;
  let ended = false;
  // Follows the frames up to the one after `moment`, but asks for none just around `moment` itself: a compositor that
  // waits for a busy page would miss it. Resolves with the timestamp of the frame at `moment`: as seen from the next
  // one, or as planned where the page's thread has come too late to see it.
  const pass = async (moment) => {
    while (!ended && t < moment - 3 * frame) {
      const before = t;
      period.saw(t = await frames());
      dropped += Math.max(0, Math.round((t - before) / frame) - 1);
    }
    if (ended) return t;
    await until(moment + frame / 4);
    period.last = null;
    period.saw(t = await frames());
    dropped += Math.max(0, Math.round((t - moment) / frame) - 1);
    return Math.abs(t - moment - frame) < frame / 2 ? t - frame : moment;
  };
  const onset = await pass(due.onset);
  screen.image.style.visibility = "visible";
  phase("stimulus");
  trial.until()?.then(() => { ended = true; });
  dropped = 0;
  const offset = await pass(due.offset);
  screen.image.style.visibility = "hidden";
  const lost = watch();
  const exposure = (lost && !ended ? t - frame : offset) - onset;
  if (mask) {
    phase("mask");
    await pass(due.end);
  }
  for (const step of steps) step.cancel();
  return { onset, exposure, dropped, lost, frame };
}

// A nap of the page's thread, to leave the compositor alone; what is timed is not timed by it.
const until = (moment) => new Promise((resolve) => setTimeout(resolve, moment - performance.now()));

// Starts the fixation, with everything that follows it scheduled on the compositor; again, should the page's thread have
// been held up so long that the schedule may not have reached the compositor in time.
async function fixate(screen, { fixation, planned, mask, period, phase }, frame) {
  let t = await frames();
  phase("fixation");
  for (;;) {
    const onset = t + Math.max(6, Math.round(fixation / frame)) * frame;
    const offset = planned === null ? Infinity : onset + Math.max(1, Math.round(planned / frame)) * frame;
    const due = { onset, offset, end: offset + Math.round(mask / frame) * frame };
    const steps = [
      stepped(screen.cross, t, 1, [[due.onset, 0]], frame),
      stepped(screen.twin, t, 0, [[due.onset, 1], [due.offset, 0]], frame),
      stepped(screen.image, t, 1, [[due.offset, 0]], frame),
      stepped(screen.mask, t, 0, [[due.offset, 1], [due.end, 0]], frame),
    ];
    period.last = t;
    period.saw(t = await frames());
    if (t < due.onset - 4 * frame) return { t, due, steps };
    for (const step of steps) step.cancel();
  }
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

// Whether the page lost the focus or was hidden from now until the returned function is called.
function watchFocus() {
  let lost = document.hidden || !document.hasFocus();
  const lose = () => { lost = true; };
  addEventListener("blur", lose);
  document.addEventListener("visibilitychange", lose);
  return () => {
    removeEventListener("blur", lose);
    document.removeEventListener("visibilitychange", lose);
    return lost;
  };
}
