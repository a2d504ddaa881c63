// Forms and buttons that go to the REST API. A field's name is its place in the request's body; an error
// names the place too, and is shown at its field.
"use strict";

// Where a field stands: its name, behind those of the lists that it is in, as in `openings.2.closes`.
function place(field) {
  const item = field.parentElement.closest("[data-item]");
  if (!item) return field.name;
  return `${item.parentElement.dataset.list}.${[...item.parentElement.children].indexOf(item)}.${field.name}`;
}

function put(body, path, value) {
  const steps = path.split(".");
  const last = steps.pop();
  let at = body;
  steps.forEach((step, index) => { at = at[step] ??= /^\d+$/.test(steps[index + 1] ?? last) ? [] : {}; });
  at[last] = value;
}

function fieldsOf(form) {
  return [...form.elements].filter((field) => field.name && !field.disabled && field.type !== "submit" && !field.dataset.must);
}

function isChanged(field) {
  if (!field.options) return field.value !== field.defaultValue;
  const before = [...field.options].find((option) => option.defaultSelected) ?? field.options[0];
  return before !== undefined && field.value !== before.value;
}

// The request's body. A form that says `data-only="changed"` leaves the rest to whoever changes it meanwhile.
function read(form) {
  const body = {};
  for (const list of form.querySelectorAll("[data-list]")) put(body, list.dataset.list, []);
  for (const field of fieldsOf(form)) {
    if (form.dataset.only === "changed" && !isChanged(field)) continue;
    const path = place(field), text = field.value.trim();
    if (field.dataset.as === "set") {
      const chosen = [...form.querySelectorAll(`[name="${field.name}"]:checked`)];
      put(body, path, chosen.map((one) => one.value));
    } else if (field.dataset.as === "lines") put(body, path, text.split(/\s*\n\s*/).filter(Boolean));
    else if (field.type === "checkbox") put(body, path, field.checked);
    else if (text === "" && field.dataset.empty === "null") put(body, path, null);
    else if (text === "" && field.dataset.empty === "omit") continue;
    else put(body, path, field.type === "number" && text !== "" ? Number(text) : field.type === "password" ? field.value : text);
  }
  // What is named here and has nothing but empty fields is nothing: `quietHours`.
  for (const part of form.querySelectorAll("[data-whole]")) {
    const inside = [...part.querySelectorAll("[name]")];
    if (inside.every((field) => field.value === "")) put(body, part.dataset.whole, null);
  }
  return body;
}

let marks = 0;
function mark(field, text) {
  const note = document.createElement("small");
  note.className = "problem wrong";
  note.id = `wrong-${marks++}`;
  note.textContent = text;
  field.setAttribute("aria-invalid", "true");
  field.setAttribute("aria-describedby", note.id);
  (field.closest("label, fieldset") ?? field).append(note);
  if (!field.closest("label, fieldset")) field.after(note);
}

function unmark(form) {
  for (const note of form.querySelectorAll(".wrong")) note.remove();
  for (const field of form.querySelectorAll("[aria-invalid]")) {
    field.removeAttribute("aria-invalid");
    field.removeAttribute("aria-describedby");
  }
}

// `name: a team of this name already exists; targets.0.resolutionMinutes: …`, each at its field, the first
// where several are named (`country, subdivision: …`); what belongs to none, at the form.
function complain(form, message) {
  const rest = [];
  let first = null;
  for (const part of message.split(/; (?=[\w.]+(?:, [\w.]+)*: )/)) {
    const [field, text] = locate(form, part);
    if (field) mark(field, text);
    else rest.push(text);
    first ??= field;
  }
  $(".problem[role]", form).textContent = rest.join("; ");
  first?.focus();
}

// The field of which a message speaks, and what it says of it. A place may come in parts: `filters: to: …`.
function locate(form, message, before = "") {
  const [, name, text] = message.match(/^([\w.]+)(?:, [\w.]+)*: ([\s\S]*)$/) ?? [];
  if (!name) return [null, message];
  const path = before + name;
  const fields = fieldsOf(form);
  const exact = fields.find((field) => place(field) === path);
  if (exact) return [exact, text];
  const within = fields.find((field) => place(field).startsWith(`${path}.`));
  if (!within) return [null, before ? message : text];
  const [field, rest] = locate(form, text, `${path}.`);
  return field ? [field, rest] : [null, text];
}

// Asks by a dialog of the page; true at once where nothing is to be asked.
function sure(question) {
  if (!question) return Promise.resolve(true);
  const dialog = $("#confirm");
  $("p", dialog).textContent = question;
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((answer) => { dialog.onclose = () => answer(dialog.returnValue === "yes"); });
}

function proceed(then, data) {
  if (then === "reload") location.reload();
  else location.assign(then.replace("{id}", data?.id));
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.dataset.send) return;
  event.preventDefault();
  unmark(form);
  $(".problem[role]", form).textContent = "";
  const said = $(".said", form);
  if (said) said.textContent = "";
  const unlike = [...form.querySelectorAll("[data-must]")].find((field) => field.value.trim().toLowerCase() !== field.dataset.must.toLowerCase());
  if (unlike) {
    mark(unlike, "This is not it.");
    return unlike.focus();
  }
  if (!(await sure(form.dataset.confirm))) return;
  const button = event.submitter ?? $("[type=submit]", form);
  button.disabled = true;
  try {
    const data = await send(form.getAttribute("action"), read(form), form.dataset.send);
    const then = form.dataset.then;
    if (then === "show") reveal(form, data);
    else if (then) return proceed(then, data);
    else if (said) said.textContent = "Saved.";
    form.dispatchEvent(new CustomEvent("done", { bubbles: true, detail: data }));
  } catch (error) {
    complain(form, error.message);
  }
  button.disabled = false;
});

function reveal(form, data) {
  const secret = $(".secret", form);
  const output = $("[data-show]", secret);
  output.textContent = data[output.dataset.show];
  secret.hidden = false;
  form.reset();
  output.focus();
}

// Buttons that do one thing: data-post, data-patch, data-delete name the route; data-body what is sent.
async function act(button, path, body, method) {
  if (!(await sure(button.dataset.confirm))) return;
  button.disabled = true;
  try {
    const data = await send(path, body, method);
    if (button.dataset.quietly === undefined) proceed(button.dataset.then ?? "reload", data);
    else button.dispatchEvent(new CustomEvent("done", { bubbles: true, detail: data }));
  } catch (error) {
    tell(button, error.message);
  }
  button.disabled = false;
}

function tell(near, text) {
  const part = near.closest("section");
  let problem = $(".problem[role]", part);
  if (!problem) {
    problem = document.createElement("p");
    problem.className = "problem";
    problem.setAttribute("role", "alert");
    part.append(problem);
  }
  problem.textContent = text;
}

function fit(chooser) {
  for (const part of chooser.closest("[data-item], form").querySelectorAll("[data-when]")) {
    part.hidden = !part.dataset.when.split(" ").includes(chooser.value);
    for (const field of part.querySelectorAll("input, select")) field.disabled = part.hidden;
  }
}

document.addEventListener("change", (event) => {
  if (event.target.matches("[data-switch]")) fit(event.target);
});

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  const { post, patch, body, add } = button.dataset;
  if (post) await act(button, post, JSON.parse(body ?? "{}"), "POST");
  else if (patch) await act(button, patch, JSON.parse(body), "PATCH");
  else if (button.dataset.delete) await act(button, button.dataset.delete, undefined, "DELETE");
  else if (add) {
    const form = button.closest("form"), list = $(`[data-list="${add}"]`, form);
    list.append($(`template[data-for="${add}"]`, form).content.cloneNode(true));
    for (const chooser of list.lastElementChild.querySelectorAll("[data-switch]")) fit(chooser);
    $("input, select", list.lastElementChild).focus();
  } else if (button.dataset.remove !== undefined) {
    const form = button.closest("form");
    button.closest("[data-item]").remove();
    $("[data-add]", form)?.focus();
  } else if (button.dataset.copy !== undefined) {
    const output = $("[data-show]", button.closest(".secret"));
    getSelection().selectAllChildren(output);
    if (!navigator.clipboard) return; // where there is no TLS the text is selected, to be copied by hand
    await navigator.clipboard.writeText(output.textContent);
    button.textContent = "Copied";
  }
});

for (const chooser of document.querySelectorAll("[data-switch]")) fit(chooser);
