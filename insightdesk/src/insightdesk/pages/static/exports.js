// The page of exports: the server tells how far they are; while it cannot, the list is fetched again and again.
"use strict";

const BUSY = 1000, CALM = 5000; // milliseconds between two looks, while something is being made and else
const list = $("#exports");
let isLive = false;

async function look() {
  await fragment(list.dataset.live, list);
  wait();
}

let timer = 0;
function wait() {
  clearTimeout(timer);
  if (!isLive) timer = setTimeout(() => (document.hidden ? wait() : look()), $("[data-unfinished]", list) ? BUSY : CALM);
}

// A step is drawn where it happens; any other change, and an export that is not shown yet, by a new list.
function onProgress({ id, state, percent, rowsDone, rowsTotal }) {
  const bar = $(`[data-export="${id}"] progress`, list);
  if (state !== "running" || !bar) return look();
  bar.value = percent;
  bar.setAttribute("aria-label", `${percent} percent`);
  $(`[data-export="${id}"] .percent`, list).textContent = `${percent} %`;
  $(`[data-export="${id}"] .rows`, list).textContent = `${rowsDone.toLocaleString("en")} of ${rowsTotal.toLocaleString("en")}`;
}

document.addEventListener("done", look);
listenLive({
  export: onProgress,
  connected(yes) {
    isLive = yes;
    document.documentElement.dataset.line = yes ? "live" : "polling";
    look(); // what happened meanwhile
  },
});
wait();
