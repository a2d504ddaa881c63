// The page's own script: signs in, ticks the SLA clocks, fetches fragments again when the server says so.
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
  skew = Number($("[data-now]").dataset.now) - Date.now() / 1000;
}

function mark() {
  for (const row of document.querySelectorAll("[data-open]")) row.classList.toggle("chosen", row.dataset.open === chosen);
}

async function fragment(path, target) {
  const answer = await fetch(path);
  if (answer.status === 401) return location.reload();
  if (answer.ok) target.innerHTML = await answer.text();
}

async function refresh() {
  const lists = ["#tickets", "#mails"].map((list) => $(list).scrollTop);
  await fragment("/ui/board", $("#board"));
  ["#tickets", "#mails"].forEach((list, index) => { $(list).scrollTop = lists[index]; });
  readSkew();
  mark();
  tick();
  const draft = $("#reply textarea");
  if (chosen?.startsWith("/ui/tickets/") && !(draft && (draft.value || draft === document.activeElement))) await fragment(chosen, $("#detail"));
}

function listen() {
  const source = new EventSource("/ui/events");
  const live = $("#live");
  source.onopen = () => { live.textContent = "live"; live.classList.add("on"); };
  source.onerror = () => { live.textContent = "reconnecting"; live.classList.remove("on"); };
  source.addEventListener("change", refresh);
}

document.addEventListener("click", async (event) => {
  const row = event.target.closest("[data-open]");
  const tab = event.target.closest("[data-tab]");
  if (row) {
    chosen = row.dataset.open;
    mark();
    await fragment(chosen, $("#detail"));
    if (matchMedia("(max-width: 760px)").matches) $("#detail").scrollIntoView({ behavior: "smooth" });
  } else if (tab) {
    for (const other of document.querySelectorAll("[data-tab]")) other.setAttribute("aria-pressed", String(other === tab));
    for (const pane of document.querySelectorAll("[data-pane]")) pane.hidden = pane.dataset.pane !== tab.dataset.tab;
  } else if (event.target.closest("[data-post]")) {
    await send(event.target.closest("[data-post]").dataset.post, {});
    location.reload();
  } else if (event.target.id === "logout") {
    await send("/api/logout", {});
    location.reload();
  }
});

// What a person wants to be told, as the API takes it.
function wishes(form) {
  const choices = [...form.querySelectorAll("[data-type]")].map((row) => ({
    type: row.dataset.type, email: $('[name="email"]', row).checked, inApp: $('[name="inApp"]', row).checked,
  }));
  const { starts, ends, timeZone } = Object.fromEntries(new FormData(form));
  return { choices, quietHours: starts || ends ? { starts, ends, timeZone: timeZone || null } : null };
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!["login", "reply", "preferences"].includes(form.id)) return;
  event.preventDefault();
  const values = Object.fromEntries(new FormData(form));
  try {
    if (form.id === "login") {
      await send("/api/login", values);
      location.reload();
    } else if (form.id === "preferences") {
      $("#saved").textContent = "";
      await send("/api/mail/preferences", wishes(form), "PUT");
      $("#saved").textContent = "Saved.";
      $("#problem")?.remove();
    } else if (form.id === "reply") {
      await send(`/api/tickets/${form.dataset.ticket}/messages`, values);
      await fragment(chosen, $("#detail"));
    }
  } catch (error) {
    let problem = $("#problem");
    if (!problem) { problem = document.createElement("p"); problem.id = "problem"; form.append(problem); }
    problem.textContent = error.message;
  }
});

if ($("[data-now]")) {
  readSkew();
  tick();
  setInterval(tick, 1000);
}
if ($("#board")) {
  const wanted = new URLSearchParams(location.search).get("ticket"); // a mail's link
  if (/^[0-9a-f-]{36}$/.test(wanted ?? "")) {
    chosen = `/ui/tickets/${wanted}`;
    fragment(chosen, $("#detail"));
  }
  listen();
}
