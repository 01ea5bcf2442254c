// Moving a slot by mouse or finger. While one is moved, the board shows the heads of its cards only,
// so that all of it is within reach.

const SLOP_PIXELS = 6;
const EDGE_PIXELS = 90;
const SCROLL_PIXELS = 9;
const CLICK_MS = 100;
const REACH_PIXELS = 90;

/**
 * Lets `handle` move `card` on `board`. `drop({ key, at })` is called with the line, and the place in
 * it in front of which the card was dropped; canDrop tells where a marker is shown. Returns the end.
 */
export function draggable(handle, card, board, canDrop, drop) {
  let begin = null;
  let last = null;
  let found = null;
  let isMoving = false;
  let isCancelled = false;
  let frame = 0;
  let endedMs = -CLICK_MS;

  /** Changes the layout below the pointer, and scrolls so that the handle stays there. */
  function keepingPlace(change) {
    const before = handle.getBoundingClientRect().top;
    change();
    scrollBy(0, handle.getBoundingClientRect().top - before);
  }

  function start() {
    isMoving = true;
    keepingPlace(() => {
      board.classList.add("moving");
      card.classList.add("moved");
    });
    addEventListener("keydown", escape, true);
    frame = requestAnimationFrame(scroll);
  }

  /** Ends it; returns whether something was moved. */
  function end() {
    const was = isMoving;
    begin = null;
    isMoving = false;
    cancelAnimationFrame(frame);
    mark(null);
    if (!was) return false;
    removeEventListener("keydown", escape, true);
    keepingPlace(() => {
      board.classList.remove("moving");
      card.classList.remove("moved");
    });
    return true;
  }

  function escape(event) {
    if (event.key !== "Escape") return;
    event.preventDefault();
    end();
    isCancelled = true;
  }

  function scroll() {
    const up = last.y < EDGE_PIXELS;
    if (up || last.y > innerHeight - EDGE_PIXELS) {
      scrollBy(0, up ? -SCROLL_PIXELS : SCROLL_PIXELS);
      track();
    }
    frame = requestAnimationFrame(scroll);
  }

  function track() {
    mark(placeAt(board, card, last.x, last.y));
  }

  function mark(next) {
    found?.element.classList.remove("drop-before", "drop-after", "beside");
    found = next && canDrop(next) ? next : null;
    found?.element.classList.add(found.isAfter ? "drop-after" : "drop-before");
    found?.element.classList.toggle("beside", found.isBeside);
  }

  handle.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || !event.isPrimary) return;
    handle.setPointerCapture(event.pointerId);
    begin = last = { x: event.clientX, y: event.clientY };
  });
  handle.addEventListener("pointermove", (event) => {
    if (!begin) return;
    last = { x: event.clientX, y: event.clientY };
    if (!isMoving && Math.hypot(last.x - begin.x, last.y - begin.y) < SLOP_PIXELS) return;
    if (!isMoving) start();
    track();
  });
  handle.addEventListener("pointerup", () => {
    const place = found;
    if (!end() && !isCancelled) return;
    isCancelled = false;
    endedMs = performance.now();
    if (place) drop(place);
  });
  handle.addEventListener(
    "click",
    (event) => {
      // The click that ends a move is no press of the handle.
      if (performance.now() - endedMs < CLICK_MS) event.stopImmediatePropagation();
    },
    { capture: true },
  );
  handle.addEventListener("pointercancel", end);
  return end;
}

/**
 * Returns { key, at, element, isAfter, isBeside } of the place that is nearest to a point, or null
 * where the point is far from all. Of a split the head counts: below it are its branches.
 */
function placeAt(board, card, x, y) {
  let nearest = null;
  for (const item of board.querySelectorAll("[data-at]")) {
    if (card.contains(item)) continue;
    const isSplit = item.classList.contains("split");
    const box = (isSplit ? item.querySelector(".head") : item).getBoundingClientRect();
    const far = Math.hypot(Math.max(box.left - x, 0, x - box.right), Math.max(box.top - y, 0, y - box.bottom));
    if (far <= REACH_PIXELS && (!nearest || far < nearest.far)) nearest = { item, box, far, isSplit };
  }
  if (!nearest) return null;
  const { item, box, isSplit } = nearest;
  const isBeside = [...item.parentElement.children].some((one) => one !== item && one.offsetTop === item.offsetTop);
  const isBehind = isBeside ? x > box.left + box.width / 2 : y > box.top + box.height / 2;
  const isAfter = isBehind && !isSplit && !item.classList.contains("add");
  return { key: item.dataset.line, at: Number(item.dataset.at) + isAfter, element: item, isAfter, isBeside };
}
