// What a page does beyond its links and forms, which work without it: live numbers, keys, the theme.
"use strict";
(() => {
  const root = document.body.dataset.root;
  const byId = (id) => document.getElementById(id);
  document.documentElement.classList.add("live");

  // Theme: the cookie is read by the server, so that no page flashes.
  const isDark = () => {
    const chosen = document.documentElement.dataset.theme;
    return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  };
  const switchTheme = () => {
    const theme = isDark() ? "light" : "dark";
    document.documentElement.dataset.theme = theme;
    const secure = location.protocol === "https:" ? "; secure" : "";
    document.cookie = `toril_theme=${theme}; path=${root}/; max-age=31536000; samesite=strict${secure}`;
  };
  byId("theme").addEventListener("click", switchTheme);
  byId("keys").addEventListener("click", () => byId("help").showModal());

  // Live numbers: a message is a map from names to texts.
  const alive = byId("alive");
  const put = (values) => {
    for (const place of document.querySelectorAll("[data-live]")) {
      const value = values[place.dataset.live];
      if (value === undefined) continue;
      if (place.dataset.live.endsWith("@d")) place.setAttribute("d", value);
      else if (place.textContent !== value) place.textContent = value;
    }
    if (values.trouble !== undefined) say(values.trouble ? "no answer" : "live", !values.trouble);
  };
  const say = (text, on) => {
    if (alive.textContent !== text) alive.textContent = text;
    alive.classList.toggle("on", on);
  };
  let seen;
  const renew = async () => {
    const answer = await fetch(location.href, { credentials: "same-origin" });
    if (!answer.ok || answer.redirected) return location.reload();
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const part of document.querySelectorAll("[data-swap]")) {
      const fresh = page.querySelector(`[data-swap="${part.dataset.swap}"]`);
      if (!fresh || part.contains(document.activeElement) || fresh.innerHTML === part.innerHTML) continue;
      const opened = [...part.querySelectorAll("details")].map((each) => each.open);
      part.replaceChildren(...fresh.childNodes);
      part.querySelectorAll("details").forEach((each, place) => { if (opened[place] !== undefined) each.open = opened[place]; });
    }
  };
  const topic = document.body.dataset.events.trim();
  const listen = () => {
    const query = new URLSearchParams();
    const about = document.querySelector("[data-queue]");
    if (topic !== "overview") query.set("queue", about.dataset.queue);
    if (topic === "job") query.set("job", about.dataset.job);
    const source = new EventSource(`${root}/events?${query}`);
    source.onopen = () => say("live", true);
    source.onerror = () => say("waiting for the server", false);
    source.onmessage = (message) => {
      const values = JSON.parse(message.data);
      put(values);
      if (values.changed !== undefined) {
        if (seen !== undefined && seen !== values.changed) renew();
        seen = values.changed;
      }
    };
    // A page that is left alone in the background costs nothing.
    addEventListener("pagehide", () => source.close());
    return source;
  };
  if (topic) {
    let source = listen();
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) source.close();
      else if (source.readyState === EventSource.CLOSED) source = listen();
    });
  }

  // Forms.
  for (const select of document.querySelectorAll("select[data-go]"))
    select.addEventListener("change", () => select.form.submit());
  const goesOn = document.querySelector("form[data-goes-on]");
  if (goesOn) setTimeout(() => goesOn.submit(), 300);
  const boxes = () => [...document.querySelectorAll("input[name=id]")];
  const all = byId("all");
  const count = () => {
    const chosen = boxes().filter((box) => box.checked).length;
    if (byId("chosen")) byId("chosen").textContent = chosen ? `${chosen} chosen` : "";
    if (all) {
      all.checked = chosen > 0 && chosen === boxes().length;
      all.indeterminate = chosen > 0 && !all.checked;
    }
  };
  if (all) {
    all.addEventListener("change", () => { for (const box of boxes()) box.checked = all.checked; count(); });
    for (const box of boxes()) box.addEventListener("change", count);
    count();
  }

  // Keys.
  const rows = () => [...document.querySelectorAll(".rows tbody tr, .kind")];
  const move = (by) => {
    const list = rows();
    const at = list.findIndex((row) => row.classList.contains("at"));
    const next = list[Math.max(0, Math.min(list.length - 1, at < 0 ? 0 : at + by))];
    if (!next) return;
    list[at]?.classList.remove("at");
    next.classList.add("at");
    next.scrollIntoView({ block: "nearest" });
    next.querySelector("a.open")?.focus({ preventScroll: true });
  };
  const places = { q: "/", f: "/failures", s: "/schedulers", w: "/workers" };
  let before = "";
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const target = event.target;
    if (target.matches("input:not([type=checkbox]), select, textarea") || byId("help").open) return;
    const key = event.key;
    const went = before;
    before = key === "g" ? "g" : "";
    if (went === "g" && places[key]) location.href = root + places[key];
    else if (key === "j") move(1);
    else if (key === "k") move(-1);
    else if (key === "x") document.querySelector("tr.at input[name=id]")?.click();
    else if (key === "r") location.reload();
    else if (key === "t") switchTheme();
    else if (key === "?") byId("help").showModal();
    else if (key === "/" && byId("q")) byId("q").focus();
    else return;
    event.preventDefault();
  });
})();
