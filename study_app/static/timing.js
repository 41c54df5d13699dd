// Exact exposures. Onset and offset are decided from frame timestamps, never by counting frames and never by a timer.
//
// The onset waits for a frame that the page's thread handles in time. The offset is handed to the compositor as an
// opacity step at the right moment, so that it comes on time even where the page's own thread is busy just then; the
// page's thread hides the image as well, in the first frame that it gets at or past the same moment.

const frames = () => new Promise((resolve) => requestAnimationFrame(resolve));
const LATE_ONSETS = 30; // so many frames may be waited for a good one

// The median of the last intervals between frames: some dropped ones do not disturb it.
export class FramePeriod {
  constructor() { this.intervals = []; this.last = null; }

  saw(t) {
    const interval = this.last === null ? null : t - this.last;
    this.last = t;
    if (interval > 1 && interval < 200) this.intervals.push(interval);
    if (this.intervals.length > 120) this.intervals.shift();
    return interval;
  }

  get ms() {
    if (this.intervals.length < 5) return 1000 / 60;
    const sorted = [...this.intervals].sort((a, b) => a - b);
    return sorted[sorted.length >> 1];
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

// A frame whose callback runs promptly after its timestamp, on an unbroken run of frames: what is changed in it will be
// on the screen with it.
async function promptFrame(period) {
  for (let tries = 0; ; tries++) {
    const t = await frames();
    const interval = period.saw(t);
    const late = performance.now() - t > period.ms * 0.6 || interval > period.ms * 1.5;
    if (!late || tries >= LATE_ONSETS) return t;
  }
}

// Shows `element` for `planned` ms, or, with `planned` null, until `until` resolves. Resolves with the onset (a frame's
// timestamp), the exposure that was reached, the frames that the page's thread missed, and whether it was out of sight.
export async function expose(element, planned, period, until, started) {
  let lost = document.hidden || !document.hasFocus();
  const lose = () => { lost = true; };
  addEventListener("blur", lose);
  document.addEventListener("visibilitychange", lose);
  const onset = await promptFrame(period);
  element.style.visibility = "visible";
  const frame = period.ms;
  const target = planned === null ? Infinity : Math.max(1, Math.round(planned / frame)) * frame;
  const step = planned === null ? null : compositorStep(element, onset, target - frame / 2);
  started(onset);
  let ended = false;
  until?.then(() => { ended = true; });
  let t = onset;
  let dropped = 0;
  while (!ended && t - onset < target - frame / 2) {
    const before = t;
    period.saw(t = await frames());
    dropped += Math.max(0, Math.round((t - before) / frame) - 1);
  }
  element.style.visibility = "hidden";
  step?.cancel();
  removeEventListener("blur", lose);
  document.removeEventListener("visibilitychange", lose);
  // Late by our own thread alone: the compositor has hidden the image in the frame that was due.
  const exposure = step && !lost ? Math.min(t - onset, target) : t - onset;
  return { onset, exposure, dropped, lost, frame };
}

function compositorStep(element, onset, at) {
  if (!element.animate) return null;
  const length = at + 60000;
  const step = element.animate(
    [{ opacity: 1, offset: 0 }, { opacity: 1, offset: at / length }, { opacity: 0, offset: at / length }, { opacity: 0 }],
    { duration: length, fill: "both" },
  );
  step.startTime = onset;
  return step;
}
