// What is computed when: everything a little at a time, between two pictures, so that the page stays
// quick.

const SLICE = 10; // milliseconds of work between two pictures

// Calls `work` between two pictures until it returns false, for there is nothing left to do, and
// `show` when the picture is no longer true. While isWaiting() says that there will be more to do,
// it looks again at each picture. `setBusy` is told when it begins and when it comes to rest.
// `safely` guards what runs by itself.
export function createScheduler(safely, { work, show, isWaiting, setBusy }) {
  let awake = false;
  let stale = false;
  let ended = false;
  const frame = safely(() => {
    if (ended) return;
    const end = performance.now() + SLICE;
    let more = true;
    while (more && performance.now() < end) {
      more = work();
      stale ||= more;
    }
    if (stale) show();
    stale = false;
    awake = more || isWaiting();
    if (awake) requestAnimationFrame(frame);
    else setBusy(false);
  });
  return {
    // The picture is no longer true, and there may be something to do.
    wake() {
      stale = true;
      if (awake || ended) return;
      awake = true;
      setBusy(true);
      requestAnimationFrame(frame);
    },
    end() {
      ended = true;
    },
  };
}

// Work in small steps, begun anew when asked for. Asked meanwhile, it ends first and then begins
// again, so that somebody who drags a slider sees results on the way.
export function background(begin) {
  let [running, again] = [undefined, false];
  return {
    ask() {
      if (running) again = true;
      else running = begin();
    },
    isBusy: () => running !== undefined,
    // Does a little; false if there is nothing to do.
    step() {
      if (!running) return false;
      if (running.next().done) [running, again] = [again ? begin() : undefined, false];
      return true;
    },
  };
}

// The beat of what plays: isDue() is true `perSecond` times a second. What is missed while the page
// has other work is not made up for.
export function createBeat(perSecond) {
  let due = 0;
  return {
    isDue() {
      const now = performance.now();
      if (now < due) return false;
      due = Math.max(due + 1000 / perSecond, now);
      return true;
    },
    // From here on, and at another speed if one is given.
    begin(speed = perSecond) {
      perSecond = speed;
      due = performance.now();
    },
  };
}
