// The pages' own script: what is sent, fragments that are fetched again, SLA clocks that tick.
"use strict";

const $ = (selector, root = document) => root.querySelector(selector);
let chosen = null; // address of the fragment in the detail pane
let skew = 0; // seconds that the server's clock is ahead of ours

// What each request that changes something must carry besides the session's cookie.
const csrf = () => document.cookie.match(/(?:^|; )(?:__Host-)?insightdesk_csrf=([0-9a-f]+)/)?.[1] ?? "";

async function send(path, body, method = "POST") {
  const answer = await fetch(path, { method, headers: { "Content-Type": "application/json", "X-CSRF-Token": csrf() }, body: JSON.stringify(body) });
  const envelope = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(envelope.error || `The server answered ${answer.status}.`);
  return envelope.data;
}

function span(seconds) {
  const whole = Math.floor(Math.abs(seconds));
  const hours = Math.floor(whole / 3600), minutes = Math.floor(whole / 60) % 60, rest = String(whole % 60).padStart(2, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

function tick() {
  const now = Date.now() / 1000 + skew;
  for (const clock of document.querySelectorAll('.clock[data-state="running"]')) {
    const left = Number(clock.dataset.due) - now;
    const share = left / Number(clock.dataset.target);
    clock.className = `clock ${left <= 0 ? "red" : share > 0.5 ? "green" : share > 0.25 ? "amber" : "red"}`;
    $("b", clock).textContent = left > 0 ? span(left) : `overdue ${span(left)}`;
  }
}

function readSkew() {
  const told = $("[data-now]");
  if (told) skew = Number(told.dataset.now) - Date.now() / 1000;
}

function highlight() {
  for (const row of document.querySelectorAll("[data-open]")) row.classList.toggle("chosen", row.dataset.open === chosen);
}

// Puts a part of the page in its place, unless it is `kept` when the answer is there; false when it could
// not be had.
async function fragment(path, target, kept = () => false) {
  const answer = await fetch(path).catch(() => null);
  if (answer?.status === 401) return location.reload();
  if (!answer?.ok) return false;
  const part = await answer.text();
  if (!kept()) target.innerHTML = part;
  return true;
}

function press(button, all) {
  for (const other of document.querySelectorAll(all)) other.setAttribute("aria-pressed", String(other === button));
}

async function open(path) {
  chosen = path;
  highlight();
  if (!(await fragment(path, $("#detail")))) $("#detail").innerHTML = '<p class="problem" role="alert">This is not there, or not for you.</p>';
  if (matchMedia("(max-width: 760px)").matches) $("#detail").scrollIntoView({ behavior: "smooth" });
}

document.addEventListener("click", async (event) => {
  const row = event.target.closest("[data-open]");
  const tab = event.target.closest("[data-tab]");
  const scheme = event.target.closest("[data-scheme]");
  if (row) await open(row.dataset.open);
  else if (scheme) {
    press(scheme, "[data-scheme]");
    for (const frame of document.querySelectorAll("iframe")) frame.src = `${frame.getAttribute("src").split("?")[0]}?scheme=${scheme.dataset.scheme}`;
  } else if (tab) {
    press(tab, "[data-tab]");
    for (const pane of document.querySelectorAll("[data-pane]")) pane.hidden = pane.dataset.pane !== tab.dataset.tab;
  } else if (event.target.id === "logout") {
    await send("/api/logout", {});
    location.assign("/");
  }
});

readSkew();
tick();
setInterval(tick, 1000);
